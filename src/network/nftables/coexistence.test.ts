import { expect, test } from 'vitest';
import { obstaclesAmong, warningFor } from './coexistence.ts';

const forward = { type: 'filter', hook: 'forward' };
const docker = [
  { family: 'ip', table: 'filter', name: 'FORWARD', policy: 'drop', ...forward },
  { family: 'ip', table: 'filter', name: 'DOCKER-USER' },
];

function warnings(chains: Parameters<typeof obstaclesAmong>[0]): readonly string[] {
  return obstaclesAmong(chains, 'mine').map(obstacle => warningFor(obstacle, 'net1'));
}

test("Docker's chain is one, with the chain that it leaves to users", () => {
  const others = [
    { family: 'inet', table: 'mine', name: 'fwd.net1', policy: 'drop', ...forward },
    { family: 'inet', table: 'other', name: 'forward', policy: 'accept', ...forward },
    { family: 'ip', table: 'filter', name: 'INPUT', policy: 'drop', type: 'filter', hook: 'input' },
  ];
  expect(warnings([...docker, ...others])).toEqual([
    'Chain "FORWARD" of nft table "ip filter" (Docker) drops forwarded packets, also those of network "net1"; ' +
      'allow them with: nft insert rule ip filter DOCKER-USER iifname "net1" accept; ' +
      'nft insert rule ip filter DOCKER-USER oifname "net1" accept',
  ]);
});

test.each([
  [
    [
      { ...docker[0], family: 'ip6' },
      { family: 'ip6', table: 'filter', name: 'ufw6-user-forward' },
    ],
    '(ufw)',
    'ufw6-user-forward',
  ],
  [
    [{ family: 'inet', table: 'firewalld', name: 'filter_FORWARD', policy: 'accept', ...forward }],
    '(firewalld)',
    'firewall-cmd',
  ],
  [
    [{ family: 'inet', table: 'admin', name: 'fwd', policy: 'drop', ...forward }],
    'inet admin',
    'inet admin fwd iifname',
  ],
])('%j', (chains, owner, remedy) => {
  const [text = ''] = warnings(chains as Parameters<typeof obstaclesAmong>[0]);
  expect(text).toContain(owner);
  expect(text).toContain(remedy);
});
