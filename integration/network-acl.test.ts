import { beforeAll, expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'dir', network: true });

const rules = (chain: string): string => daemon.firewallChain('inet', `${chain}.${daemon.bridge}`);

const lxc = daemon.mustLxc.bind(daemon);

let gateway = '';
beforeAll(async () => {
  gateway = (await daemon.must('network', 'get', daemon.bridge, 'ipv4.address')).split('/')[0] ?? '';
  await daemon.must('launch', 'tiny', 'c1');
  expect(await settled(() => pings(), 15_000)).toBe(true);
});

async function pings(): Promise<boolean> {
  return (await daemon.cli(['exec', 'c1', '--', 'ping', '-c', '1', '-W', '1', gateway])).status === 0;
}

test('the stock client makes lists and rules', async () => {
  expect((await daemon.lxc(['network', 'acl', 'create', 'web', 'user.owner=ops'])).stdout).toContain(
    'Network ACL web created',
  );
  await lxc('network', 'acl', 'create', 'other');
  const add = ['network', 'acl', 'rule', 'add', 'web', 'ingress'];
  await lxc(...add, 'action=allow', 'source=10.0.0.0/8, @internal', 'protocol=tcp', 'destination_port=80,443');
  await lxc(...add, 'action=drop', 'source=other', 'state=logged', 'description=no others');
  expect(await lxc('network', 'acl', 'show', 'web')).toBe(`name: web
description: ""
egress: []
ingress:
- action: allow
  source: 10.0.0.0/8,@internal
  protocol: tcp
  destination_port: 80,443
  state: enabled
- action: drop
  source: other
  description: no others
  state: logged
config:
  user.owner: ops
used_by: []
`);
  expect(await lxc('network', 'acl', 'list')).toMatch(/other +\| +\| 1 /);
});

test.each([
  [{ action: 'permit', state: 'enabled' }, 'Action must be one of: allow, drop, reject'],
  [{ action: 'allow', state: 'on' }, 'State must be one of'],
  [{ action: 'allow', state: 'enabled', source: 'nobody' }, 'Invalid Source: Invalid subject "nobody"'],
  [{ action: 'allow', state: 'enabled', source: '10.0.0.1; drop' }, 'Invalid Source'],
  [{ action: 'allow', state: 'enabled', source: '10.0.0.1', destination: 'fd00::/8' }, 'Conflicting IP family'],
  [{ action: 'allow', state: 'enabled', destination: 'other' }, 'Named subjects not allowed in "Destination"'],
  [{ action: 'allow', state: 'enabled', protocol: 'tcp', destination_port: '70000' }, 'Invalid Destination port'],
  [{ action: 'allow', state: 'enabled', protocol: 'tcp', destination_port: '1 accept' }, 'Invalid Destination port'],
  [{ action: 'allow', state: 'enabled', destination_port: '70' }, 'without specifying protocol'],
  [{ action: 'allow', state: 'enabled', protocol: 'sctp' }, 'Protocol must be one of'],
  [{ action: 'allow', state: 'enabled', protocol: 'icmp4', icmp_type: '300' }, 'Invalid ICMP type'],
  [{ action: 'allow', state: 'enabled', description: 'a\nb' }, '"description" must not hold line breaks'],
])('the rule %j is refused', async (rule, reason) => {
  const { status, json } = await daemon.request('PATCH', '/1.0/network-acls/web', { ingress: [rule] });
  expect({ status, told: json?.error.startsWith('Invalid ingress rule 0: ') && json.error.includes(reason) }).toEqual({
    status: 400,
    told: true,
  });
});

test.each(['0bad', 'bad.name', 'a b', '@bad', 'a\nb'])('the name %j is refused', async name => {
  const { status, json } = await daemon.request('POST', '/1.0/network-acls', { name });
  expect({ status, named: json?.error.includes('"name"') }).toEqual({ status: 400, named: true });
});

test('a network has lists, and what no rule lets pass is rejected', async () => {
  expect((await daemon.lxc(['network', 'set', daemon.bridge, 'security.acls=nope'])).stderr).toContain(
    '"nope" does not exist',
  );
  await lxc('network', 'set', daemon.bridge, 'security.acls=web');
  expect(await pings()).toBe(false);
  expect(rules('aclfwd')).toContain(`jump acl.${daemon.bridge}`);
  await lxc('network', 'acl', 'rule', 'add', 'web', 'egress', 'action=allow', 'protocol=icmp4');
  expect(await pings()).toBe(true);
  await daemon.must('network', 'acl', 'rule', 'remove', 'web', 'egress', 'protocol=icmp4');
  expect(await pings()).toBe(false);
  await lxc('network', 'set', daemon.bridge, 'security.acls.default.egress.action=allow');
  expect(await pings()).toBe(true);
  expect(await daemon.must('exec', 'c1', '--', 'nslookup', 'c1.lxd', gateway)).toContain('c1.lxd');
});

test('names in rules follow the networks that have a list', async () => {
  expect(rules('acl')).not.toContain('log prefix');
  await daemon.must(
    'network',
    'create',
    `${daemon.bridge}x`,
    'ipv4.address=10.203.4.1/24',
    'ipv6.address=none',
    'security.acls=other',
  );
  expect(rules('acl')).toContain('ip saddr 10.203.4.0/24 log prefix');
  await daemon.must('network', 'delete', `${daemon.bridge}x`);
  expect(rules('acl')).not.toContain('10.203.4.0/24');
});

test('a list in use is neither deleted nor renamed', async () => {
  for (const words of [
    ['delete', 'web'],
    ['rename', 'web', 'www'],
    ['delete', 'other'],
  ]) {
    expect((await daemon.lxc(['network', 'acl', ...words])).stderr).toContain('an ACL that is in use');
  }
  expect(await lxc('network', 'acl', 'show', 'web')).toContain(`used_by:\n- /1.0/networks/${daemon.bridge}\n`);
  expect((await daemon.request('GET', '/1.0/network-acls/web/log')).status).toBe(200);
  await daemon.must('network', 'acl', 'show-log', 'web');
});

test('rules survive a daemon that is killed and go with the list', async () => {
  const before = rules('acl');
  await daemon.kill();
  await daemon.start();
  expect(rules('acl')).toBe(before);
  await lxc('network', 'unset', daemon.bridge, 'security.acls');
  expect(rules('acl')).toBe('');
  await lxc('network', 'acl', 'rename', 'web', 'www');
  await daemon.must('network', 'acl', 'delete', 'www');
  await lxc('network', 'acl', 'delete', 'other');
  expect(JSON.parse(await lxc('network', 'acl', 'list', '-f', 'json'))).toEqual([]);
});
