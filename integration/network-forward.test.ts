import { afterAll, beforeAll, expect, test } from 'vitest';
import { kernel } from '#native/kernel.ts';
import { Guest } from '#network/testing/guest.ts';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'dir', network: true });
const uplink = `u${daemon.tag}`;
const listen = '198.51.100.7';
let outside: Guest;
let address = '';
let subnet = '';

const lxc = daemon.mustLxc.bind(daemon);

const rules = (chain: string): string => daemon.firewallChain('inet', `${chain}.${daemon.bridge}`);

beforeAll(async () => {
  subnet = (await daemon.must('network', 'get', daemon.bridge, 'ipv4.address')).trim().replace(/\.1\/24$/, '');
  address = `${subnet}.77`;
  await daemon.must('init', 'tiny', 'c1');
  const devices = { eth0: { type: 'nic', network: daemon.bridge, name: 'eth0', 'ipv4.address': address } };
  await daemon.operate('PATCH', '/1.0/instances/c1', { devices });
  await daemon.must('start', 'c1');
  await daemon.must(
    'exec',
    'c1',
    '--',
    'sh',
    '-c',
    'for p in 80 8080; do (while :; do echo "port $p" | nc -l -p $p; done) </dev/null >/dev/null 2>&1 & done',
  );
  outside = await Guest.create();
  kernel.createVeth(uplink, { up: true }, { name: 'eth0', pid: outside.pid, settings: {} });
  kernel.addAddress(uplink, '198.51.100.1/24');
  await outside.run('ip', 'address', 'add', '198.51.100.2/24', 'dev', 'eth0');
  await outside.run('ip', 'link', 'set', 'eth0', 'up');
  await outside.run('ip', 'route', 'add', listen, 'via', '198.51.100.1');
});
afterAll(async () => {
  await outside.end();
});

async function answer(port: number): Promise<string> {
  let text = '';
  await settled(async () => {
    text = (await outside.run('busybox', 'nc', '-w', '1', listen, String(port)).catch(() => '')).trim();
    return text !== '';
  }, 5000);
  return text;
}

test('a forwarded port reaches its target from another host', async () => {
  const created = await daemon.lxc(['network', 'forward', 'create', daemon.bridge, listen]);
  expect(created.stdout).toContain(`Network forward ${listen} created`);
  expect(rules('fwdprert')).toBe('');
  await lxc('network', 'forward', 'port', 'add', daemon.bridge, listen, 'tcp', '5000,5001', address, '80,8080');
  expect(await answer(5000)).toBe('port 80');
  expect(await answer(5001)).toBe('port 8080');
});

test('an instance reaches itself by its outer address', async () => {
  await daemon.must('exec', 'c1', '--', 'ip', 'route', 'add', `${listen}/32`, 'via', `${subnet}.1`);
  await expect
    .poll(async () => (await daemon.cli(['exec', 'c1', '--', 'nc', '-w', '1', listen, '5000'])).stdout.trim(), {
      timeout: 8000,
    })
    .toBe('port 80');
});

test('the default target takes the ports that are not listed', async () => {
  await daemon.must('network', 'forward', 'set', daemon.bridge, listen, `target_address=${address}`);
  expect(await answer(8080)).toBe('port 8080');
  expect(await lxc('network', 'forward', 'show', daemon.bridge, listen)).toBe(`description: ""
config:
  target_address: ${address}
ports:
- description: ""
  protocol: tcp
  listen_port: 5000,5001
  target_port: 80,8080
  target_address: ${address}
listen_address: ${listen}
location: none
`);
  expect(await lxc('network', 'forward', 'list', daemon.bridge)).toMatch(
    new RegExp(`${listen} +\\| +\\| ${address} +\\| 1 `),
  );
});

test.each([
  [{ listen_address: 'foo' }, 'listen_address'],
  [{ listen_address: '198.51.100.9/24' }, 'listen_address'],
  [{ config: { target_address: '10.255.255.1' } }, 'Default target address is not within the network subnet'],
  [{ config: { other: '1' } }, 'config.other'],
  [{ description: 'a\nb' }, 'description'],
  [{ ports: [{ protocol: 'icmp', listen_port: '1', target_address: 'TARGET' }] }, 'protocol must be one of: tcp, udp'],
  [{ ports: [{ protocol: 'tcp', listen_port: '0', target_address: 'TARGET' }] }, 'Invalid listen port'],
  [{ ports: [{ protocol: 'tcp', listen_port: '80 accept', target_address: 'TARGET' }] }, 'Invalid listen port'],
  [{ ports: [{ protocol: 'tcp', listen_port: '', target_address: 'TARGET' }] }, 'Missing listen port'],
  [{ ports: [{ protocol: 'tcp', listen_port: '80', target_address: 'fd42::1' }] }, 'Cannot mix IP versions'],
  [{ ports: [{ protocol: 'tcp', listen_port: '80', target_address: '192.0.2.1' }] }, 'not within the network subnet'],
  [{ ports: [{ protocol: 'tcp', listen_port: '1,2', target_port: '1,2,3', target_address: 'TARGET' }] }, 'Mismatch'],
  [
    {
      ports: [
        { protocol: 'tcp', listen_port: '1-5', target_address: 'TARGET' },
        { protocol: 'tcp', listen_port: '3', target_address: 'TARGET' },
      ],
    },
    'Duplicate listen port 3',
  ],
])('%j is refused', async (request, reason) => {
  const body = {
    listen_address: '198.51.100.8',
    ...(JSON.parse(JSON.stringify(request).replaceAll('TARGET', address)) as object),
  };
  const { status, json } = await daemon.request('POST', `/1.0/networks/${daemon.bridge}/forwards`, body);
  expect({ status, told: json?.error.includes(reason) ? reason : json?.error }).toEqual({ status: 400, told: reason });
});

test('a listen address belongs to one network', async () => {
  const url = `/1.0/networks/${daemon.bridge}/forwards`;
  expect((await daemon.request('POST', url, { listen_address: listen })).status).toBe(409);
  await daemon.must('network', 'create', `${daemon.bridge}x`, 'ipv4.address=10.203.5.1/24', 'ipv6.address=none');
  const other = `/1.0/networks/${daemon.bridge}x/forwards`;
  for (const taken of [listen, address]) {
    expect((await daemon.request('POST', other, { listen_address: taken })).json?.error).toContain('overlaps');
  }
  const moved = await daemon.lxc(['network', 'set', daemon.bridge, 'ipv4.address=10.203.6.1/24']);
  expect(moved.stderr).toContain(`for listen address "${listen}"`);
  await daemon.must('network', 'delete', `${daemon.bridge}x`);
});

test('OVN only things are refused with the reason', async () => {
  const { status, json } = await daemon.request('GET', `/1.0/networks/${daemon.bridge}/peers`);
  expect({ status, error: json?.error }).toEqual({
    status: 400,
    error: 'Network driver "bridge" does not support peering: only OVN has it',
  });
});

test('forwards survive a daemon that is killed, and go', async () => {
  const before = rules('fwdprert');
  await daemon.kill();
  await daemon.start();
  expect(rules('fwdprert')).toBe(before);
  await lxc('network', 'forward', 'port', 'remove', daemon.bridge, listen, 'tcp', '5000,5001');
  await daemon.must('network', 'forward', 'unset', daemon.bridge, listen, 'target_address');
  expect(rules('fwdprert')).toBe('');
  await lxc('network', 'forward', 'delete', daemon.bridge, listen);
  expect((await daemon.lxc(['network', 'forward', 'show', daemon.bridge, listen])).status).toBe(1);
});
