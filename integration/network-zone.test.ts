import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'dir', network: true });
const zone = 'lab.example.net';
const server = ['@127.0.0.1', '-p', '5354', '+time=2', '+tries=1', '+nocmd'];

const lxc = daemon.mustLxc.bind(daemon);

function dig(...words: readonly string[]): string {
  const text = execFileSync('dig', [...server, ...words], { encoding: 'utf8' });
  return text.replace(/[ \t]+/g, ' ');
}

test('the stock client makes zones and records', async () => {
  expect((await daemon.lxc(['network', 'zone', 'create', zone])).stdout).toContain(`Network Zone ${zone} created`);
  await lxc('network', 'zone', 'set', zone, 'dns.nameservers=ns1.example.net');
  await lxc('network', 'zone', 'record', 'create', zone, 'www');
  await lxc('network', 'zone', 'record', 'entry', 'add', zone, 'www', 'A', '203.0.113.7', '--ttl', '60');
  await daemon.must('network', 'zone', 'record', 'entry', 'add', zone, 'www', 'TXT', 'hello "big world"');
  expect(await lxc('network', 'zone', 'record', 'show', zone, 'www')).toBe(`description: ""
entries:
- type: A
  ttl: 60
  value: 203.0.113.7
- type: TXT
  value: hello "big world"
config: {}
name: www
`);
  expect(await lxc('network', 'zone', 'show', zone)).toBe(`description: ""
config:
  dns.nameservers: ns1.example.net
name: ${zone}
used_by: []
`);
});

test.each([
  ['POST', '', { name: 'bad name' }, '"name"'],
  ['POST', '', { name: 'a\nb' }, '"name"'],
  ['PATCH', `/${zone}`, { config: { 'dns.nameservers': 'a b' } }, 'config.dns.nameservers'],
  ['PATCH', `/${zone}`, { config: { 'peers.one.address': 'foo' } }, 'config.peers.one.address'],
  ['PATCH', `/${zone}`, { config: { 'peers.one.key': 'not base64!' } }, 'config.peers.one.key'],
  ['PATCH', `/${zone}`, { config: { 'peers.one.port': '1' } }, 'config.peers.one.port'],
  ['POST', `/${zone}/records`, { name: 'a b' }, '"name"'],
  ['PATCH', `/${zone}/records/www`, { entries: [{ type: 'A', value: 'foo' }] }, 'entry 0'],
  ['PATCH', `/${zone}/records/www`, { entries: [{ type: 'TXT', value: 'a\nb' }] }, 'entry 0'],
  ['PATCH', `/${zone}/records/www`, { entries: [{ type: 'FOO', value: 'x' }] }, 'entry 0'],
  ['PATCH', `/${zone}/records/www`, { entries: [{ type: 'A', value: '1.2.3.4', ttl: -1 }] }, 'entry 0'],
])('%s %s %j is refused', async (method, path, body, named) => {
  const { status, json } = await daemon.request(method, `/1.0/network-zones${path}`, body);
  expect({ status, named: json?.error.includes(named) ? named : json?.error }).toEqual({ status: 400, named });
});

test('a network publishes its instances to peers, forward and reverse', async () => {
  const subnet = (await daemon.must('network', 'get', daemon.bridge, 'ipv4.address')).trim().replace(/\.1\/24$/, '');
  const reverse = `${subnet.split('.').reverse().join('.')}.in-addr.arpa`;
  await daemon.must('network', 'zone', 'create', reverse, 'peers.all.address=127.0.0.1');
  expect((await daemon.lxc(['network', 'set', daemon.bridge, 'dns.zone.forward=nope'])).stderr).toContain(
    "doesn't exist",
  );
  await lxc('network', 'set', daemon.bridge, `dns.zone.forward=${zone}`, `dns.zone.reverse.ipv4=${reverse}`);
  await daemon.must('launch', 'tiny', 'c1');
  await lxc('config', 'set', 'core.dns_address=127.0.0.1:5354');
  expect(dig('+tcp', 'axfr', zone)).toContain('Transfer failed');
  await lxc('network', 'zone', 'set', zone, 'peers.one.address=127.0.0.1');
  await expect.poll(() => dig('+tcp', 'axfr', zone), { timeout: 15_000 }).toContain(`c1.${zone}. 300 IN A ${subnet}.`);
  const whole = dig('+tcp', 'axfr', zone);
  expect(whole).toContain(`${zone}. 300 IN NS ns1.example.net.`);
  expect(whole).toContain(`${daemon.bridge}.gw.${zone}. 300 IN A ${subnet}.1`);
  expect(whole).toContain(`www.${zone}. 60 IN A 203.0.113.7`);
  expect(whole).toContain(`www.${zone}. 300 IN TXT "hello" "big world"`);
  expect(whole).toMatch(new RegExp(`c1\\.${zone}\\. 300 IN AAAA fd`));
  expect(dig('+tcp', 'axfr', reverse)).toContain(`1.${reverse}. 300 IN PTR ${daemon.bridge}.gw.${zone}.`);
  expect(dig('soa', zone)).toMatch(/status: NOERROR[^]*ANSWER: 1,/);
  expect(dig('a', `www.${zone}`)).toContain('status: NOTIMP');
  expect(dig('soa', 'other.test')).toContain('status: NXDOMAIN');
});

test('a zone with a key goes to those who have it', async () => {
  const secret = Buffer.from('a very secret key').toString('base64');
  await lxc('network', 'zone', 'set', zone, `peers.one.key=${secret}`);
  expect(dig('+tcp', 'axfr', zone)).toContain('Transfer failed');
  const key = (text: string): readonly string[] => ['-y', `hmac-sha256:${zone}_one.:${text}`, '+tcp', 'axfr', zone];
  expect(dig(...key(secret))).toContain(`www.${zone}. 60 IN A 203.0.113.7`);
  expect(dig(...key(Buffer.from('wrong').toString('base64')))).not.toContain('IN A');
  const sha512 = ['-y', `hmac-sha512:${zone}_one.:${secret}`, '+tcp', 'axfr', zone];
  expect(dig(...sha512)).toContain('TSIG');
});

test('the server comes back with the daemon and goes with its address', async () => {
  await daemon.terminate();
  await daemon.start();
  expect(await settled(() => dig('soa', 'other.test').includes('NXDOMAIN'))).toBe(true);
  const refused = await daemon.lxc(['config', 'set', 'core.dns_address=192.0.2.77:5354']);
  expect(refused.stderr).toContain('Cannot open \\"core.dns_address\\"'.replaceAll('\\', ''));
  expect(dig('soa', 'other.test')).toContain('NXDOMAIN');
  await lxc('config', 'unset', 'core.dns_address');
  expect(() => dig('soa', 'other.test')).toThrow();
});

test('a zone in use is not deleted', async () => {
  expect((await daemon.lxc(['network', 'zone', 'delete', zone])).stderr).toContain(
    'Cannot delete a zone that is in use',
  );
  await lxc('network', 'unset', daemon.bridge, 'dns.zone.forward');
  await lxc('network', 'zone', 'record', 'delete', zone, 'www');
  await lxc('network', 'zone', 'delete', zone);
  expect((await daemon.lxc(['network', 'zone', 'show', zone])).status).toBe(1);
});
