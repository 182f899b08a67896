import { expect, test } from 'vitest';
import { proxyChains } from './proxy-rules.ts';

test('arriving and own connections are translated, and masked when an instance speaks to itself', () => {
  const pairs = [
    { listen: 'tcp:192.0.2.1:80', connect: 'tcp:10.0.0.5:8080' },
    { listen: 'udp:[2001:db8::1]:53', connect: 'udp:[fd42::5]:53' },
  ];
  const translated = [
    'ip daddr 192.0.2.1 tcp dport 80 dnat ip to 10.0.0.5:8080',
    'ip6 daddr 2001:db8::1 udp dport 53 dnat ip6 to [fd42::5]:53',
  ];
  expect(proxyChains({ instance: 'c1', device: 'web', pairs })).toEqual([
    { name: 'prert.c1.web', hook: 'nat hook prerouting priority dstnat', rules: translated },
    { name: 'out.c1.web', hook: 'nat hook output priority -100', rules: translated },
    {
      name: 'pstrt.c1.web',
      hook: 'nat hook postrouting priority srcnat',
      rules: [
        'ip saddr 10.0.0.5 ip daddr 10.0.0.5 tcp dport 8080 masquerade',
        'ip6 saddr fd42::5 ip6 daddr fd42::5 udp dport 53 masquerade',
      ],
    },
  ]);
});

test('what is no address never gets into the rules', () => {
  const pairs = [{ listen: 'tcp:192.0.2.1:80', connect: 'tcp:10.0.0.5; flush ruleset:80' }];
  expect(() => proxyChains({ instance: 'c1', device: 'web', pairs })).toThrow('Not an address');
});
