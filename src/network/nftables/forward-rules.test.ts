import { expect, test } from 'vitest';
import { forwardChains } from './forward-rules.ts';

const forward = { description: '', location: 'none', listen_address: '192.0.2.2', config: {}, ports: [] };
const port = { description: '', protocol: 'tcp', target_address: '10.9.8.8', target_port: '' };

test('a forward without targets has no chains', () => {
  expect(forwardChains('br0', [forward])).toEqual([]);
});

test('ports come before the default target, each with its hairpin', () => {
  const ports = [
    { ...port, listen_port: '80' },
    { ...port, listen_port: '443,8000-8001', target_port: '444' },
    { ...port, protocol: 'udp', listen_port: '53,54', target_port: '1053-1054' },
  ];
  const [prerouting, output, postrouting] = forwardChains('br0', [
    { ...forward, config: { target_address: '10.9.8.7' }, ports },
  ]);
  expect(prerouting).toEqual({
    name: 'fwdprert.br0',
    hook: 'nat hook prerouting priority dstnat',
    rules: [
      'ip daddr 192.0.2.2 tcp dport 80 dnat ip to 10.9.8.8:80',
      'ip daddr 192.0.2.2 tcp dport 443 dnat ip to 10.9.8.8:444',
      'ip daddr 192.0.2.2 tcp dport 8000 dnat ip to 10.9.8.8:444',
      'ip daddr 192.0.2.2 tcp dport 8001 dnat ip to 10.9.8.8:444',
      'ip daddr 192.0.2.2 udp dport 53 dnat ip to 10.9.8.8:1053',
      'ip daddr 192.0.2.2 udp dport 54 dnat ip to 10.9.8.8:1054',
      'ip daddr 192.0.2.2 dnat ip to 10.9.8.7',
    ],
  });
  expect(output?.rules).toEqual(prerouting?.rules);
  expect(postrouting?.rules.slice(-2)).toEqual([
    'ip saddr 10.9.8.8 ip daddr 10.9.8.8 udp dport 1054 masquerade',
    'ip saddr 10.9.8.7 ip daddr 10.9.8.7 masquerade',
  ]);
});

test('IPv6 targets with a port are bracketed', () => {
  const ports = [{ ...port, listen_port: '80', target_address: 'fd42::8' }];
  const chains = forwardChains('br0', [{ ...forward, listen_address: '2001:db8::5', ports }]);
  expect(chains[0]?.rules).toEqual(['ip6 daddr 2001:db8::5 tcp dport 80 dnat ip6 to [fd42::8]:80']);
});
