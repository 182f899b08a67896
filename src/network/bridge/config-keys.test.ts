import { describe, expect, test } from 'vitest';
import { valueProblem } from '#base/config-schema.ts';
import { bridgeKeys } from './config-keys.ts';
import { bridgeProblem } from './problem.ts';

describe('keys of bridges', () => {
  test.each([
    ['ipv4.address', '10.1.2.1/24'],
    ['ipv4.address', 'none'],
    ['ipv6.address', 'auto'],
    ['ipv4.dhcp.ranges', '10.1.2.10-10.1.2.20,10.1.2.30-10.1.2.40'],
    ['dns.domain', 'lab.example.test'],
    ['bridge.hwaddr', '00:16:3E:01:02:03'],
    ['raw.dnsmasq', 'log-queries\nlog-dhcp'],
    ['user.anything', 'x'],
    ['ipv4.dhcp.expiry', '30m'],
    ['tunnel.peer1.protocol', 'vxlan'],
    ['tunnel.peer1.id', '7'],
    ['security.acls', 'web,db-1'],
    ['security.acls.default.egress.action', 'allow'],
    ['dns.zone.reverse.ipv4', '2.0.192.in-addr.arpa'],
  ])('%s may be %j', (key, value) => {
    expect(valueProblem(bridgeKeys, key, value)).toBeUndefined();
  });

  test.each([
    ['ipv4.address', '10.1.2.0/24'],
    ['ipv4.address', '10.1.2.1'],
    ['ipv4.address', 'fd42::1/64'],
    ['ipv4.address', '10.1.2.1/32'],
    ['ipv4.dhcp.ranges', '10.1.2.20-10.1.2.10'],
    ['ipv4.dhcp.expiry', '1h\nconf-file=/etc/shadow'],
    ['ipv4.dhcp.expiry', '1h,x'],
    ['dns.domain', 'lxd/10.0.0.1'],
    ['dns.search', 'a.test,b test'],
    ['bridge.hwaddr', '01:16:3e:01:02:03'],
    ['bridge.mtu', '70000'],
    ['bridge.mode', 'fan'],
    ['fan.type', 'vxlan'],
    ['tunnel.a.protocol', 'ipip'],
    ['tunnel.a.nonsense', '1'],
    ['tunnel.a.b.id', '1'],
    ['tunnel.a.local', '10.0.0.1\n'],
    ['tunnel.a.ttl', '300'],
    ['maas.subnet.ipv4', 'x'],
    ['bgp.peers.a.asn', '1'],
    ['security.acls', 'web;x'],
    ['security.acls.default.egress.action', 'permit'],
    ['dns.zone.forward', 'a b'],
    ['bridge.driver', 'openvswitch'],
    ['nonsense', 'x'],
    ['bridge.external_interfaces', 'eth0;reboot'],
  ])('%s may not be %j', (key, value) => {
    expect(valueProblem(bridgeKeys, key, value)).toBeDefined();
  });
});

describe('a whole config', () => {
  test.each([
    [{ 'ipv4.address': '10.1.2.1/24', 'ipv4.dhcp.ranges': '10.1.3.1-10.1.3.9' }, /^"ipv4.dhcp.ranges"/],
    [{ 'bridge.external_interfaces': 'net1' }, /^"bridge.external_interfaces"/],
    [{ 'tunnel.longername1.protocol': 'gre' }, /^"tunnel.longername1"/],
    [{ 'tunnel.a.protocol': 'gre', 'tunnel.a.local': '10.0.0.1' }, /^"tunnel.a.remote"/],
    [
      { 'tunnel.a.protocol': 'vxlan', 'tunnel.a.local': '10.0.0.1', 'tunnel.a.remote': 'fd42::1' },
      /^"tunnel.a.remote"/,
    ],
  ])('%j is refused', (config, problem) => {
    expect(bridgeProblem('net1', config)).toMatch(problem);
  });
});
