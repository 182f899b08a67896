import { expect, test } from 'vitest';
import { bridgeSettings } from '../bridge/settings.ts';
import { parseAddress } from '../ip-address.ts';
import { chooseAccount, parseRecords } from './account.ts';
import { renderConfig, renderHost } from './config-file.ts';

const files = {
  config: '/n/dnsmasq.conf',
  hosts: '/n/dnsmasq.hosts',
  leases: '/n/dnsmasq.leases',
  raw: '/n/dnsmasq.raw',
};
const account = { user: 'dnsmasq', group: 'nogroup' };

const head = `strict-order
bind-interfaces
interface=net1
except-interface=lo
no-ping
no-hosts
pid-file=
user=dnsmasq
group=nogroup
`;
const dhcp = `dhcp-rapid-commit
dhcp-no-override
dhcp-authoritative
quiet-dhcp
quiet-dhcp6
quiet-ra
dhcp-leasefile=/n/dnsmasq.leases
dhcp-hostsfile=/n/dnsmasq.hosts
`;

test('a network with defaults serves DNS, DHCP and router advertisements', () => {
  const settings = bridgeSettings('net1', { 'ipv4.address': '10.1.2.1/24', 'ipv6.address': 'fd42::1/64' });
  expect(renderConfig(settings, files, account)).toBe(`${head}listen-address=10.1.2.1
listen-address=fd42::1
domain=lxd
local=/lxd/
interface-name=_gateway.lxd,net1
dhcp-ignore-names=tag:!known
${dhcp}dhcp-range=10.1.2.1,10.1.2.254,1h
enable-ra
dhcp-range=::,constructor:net1,ra-stateless,ra-names
conf-file=/n/dnsmasq.raw
`);
});

test('every key is rendered', () => {
  const settings = bridgeSettings('net1', {
    'bridge.mtu': '1400',
    'dns.domain': 'lab.test',
    'dns.mode': 'dynamic',
    'dns.search': 'lab.test, example.test',
    'ipv4.address': '10.1.2.1/24',
    'ipv4.dhcp.expiry': '2d',
    'ipv4.dhcp.gateway': '10.1.2.254',
    'ipv4.dhcp.ranges': '10.1.2.10-10.1.2.20, 10.1.2.30-10.1.2.40',
    'ipv6.address': 'fd42::1/64',
    'ipv6.dhcp.expiry': '30m',
    'ipv6.dhcp.stateful': 'true',
  });
  expect(renderConfig(settings, files, account)).toBe(`${head}listen-address=10.1.2.1
listen-address=fd42::1
domain=lab.test
local=/lab.test/
interface-name=_gateway.lab.test,net1
${dhcp}dhcp-range=10.1.2.10,10.1.2.20,2d
dhcp-range=10.1.2.30,10.1.2.40,2d
dhcp-option-force=3,10.1.2.254
dhcp-option-force=26,1400
dhcp-option-force=119,lab.test,example.test
enable-ra
dhcp-range=fd42::2,fd42::ffff:ffff:ffff:ffff,64,30m
dhcp-option=option6:domain-search,lab.test,example.test
conf-file=/n/dnsmasq.raw
`);
});

test('a network without DHCP and DNS only listens', () => {
  const config = { 'ipv4.address': '10.1.2.1/24', 'ipv4.dhcp': 'false', 'dns.mode': 'none' };
  expect(renderConfig(bridgeSettings('net1', config), files, account)).toBe(
    `${head}listen-address=10.1.2.1\nconf-file=/n/dnsmasq.raw\n`,
  );
});

test('a NIC has one line with what is known of it', () => {
  const nic = { hardwareAddress: '00:16:3E:01:02:03', ipv4: undefined, ipv6: undefined, name: undefined };
  expect(renderHost({ ...nic, name: 'c1' })).toBe('00:16:3e:01:02:03,c1\n');
  const [ipv4, ipv6] = [parseAddress('10.1.2.7'), parseAddress('fd42::7')];
  expect(renderHost({ ...nic, ipv4, ipv6, name: 'c1' })).toBe('00:16:3e:01:02:03,10.1.2.7,[fd42::7],c1\n');
});

test('dnsmasq becomes its own user, or nobody', () => {
  const groups = parseRecords('root:x:0:\nnogroup:x:65534:\n');
  const nobody = 'nobody:x:65534:65534::/:/bin/false\n';
  const own = 'dnsmasq:x:999:65534::/:/bin/false\n';
  expect(chooseAccount(parseRecords(nobody + own), groups)).toEqual({ user: 'dnsmasq', group: 'nogroup' });
  expect(chooseAccount(parseRecords(nobody), groups)).toEqual({ user: 'nobody', group: 'nogroup' });
  expect(chooseAccount(parseRecords(''), groups)).toEqual({ user: 'nobody', group: undefined });
});
