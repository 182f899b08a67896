import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { leftOut, restlessServices } from './left-out.ts';
import { parseFacts, probeScript } from './machine-facts.ts';

const output = `a login message
==lxd-like uid
0
==lxd-like machine
x86_64
==lxd-like rsync
/usr/bin/rsync
==lxd-like os-release
ID=debian
VERSION_ID="12"
==lxd-like mounts
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /proc rw - proc proc rw
24 22 8:2 / /srv/my\\040data rw - xfs /dev/sdb rw
25 22 0:9 / /tmp rw - tmpfs tmpfs rw
half a line
==lxd-like swaps
Filename\tType\tSize
/swap\\040file file 1
/dev/sdc partition 1
==lxd-like services
chrony.service nginx.service '$(id)' chrony.service
`;

describe('the facts of a machine', () => {
  test('come from the sections of the script, after whatever a login prints', () => {
    expect(parseFacts(output)).toMatchObject({
      isRoot: true,
      hasRsync: true,
      architecture: 'x86_64',
      mounts: [
        { path: '/', type: 'ext4', source: '/dev/sda1' },
        { path: '/proc', type: 'proc' },
        { path: '/srv/my data', type: 'xfs', source: '/dev/sdb' },
        { path: '/tmp', type: 'tmpfs' },
      ],
      swapFiles: ['/swap file'],
      services: ['chrony.service', 'nginx.service'],
      properties: { os: 'debian', release: '12' },
    });
  });

  test('of nothing are those of no machine that could be read', () => {
    expect(parseFacts('')).toMatchObject({ isRoot: false, hasRsync: false, mounts: [], swapFiles: [] });
  });

  test('are printed by the script', () => {
    const facts = parseFacts(execFileSync('sh', ['-c', probeScript], { encoding: 'utf8' }));
    expect(facts.mounts.some(({ path }) => path === '/')).toBe(true);
    expect(facts.isRoot).toBe(process.getuid?.() === 0);
  });
});

describe('what stays behind', () => {
  const facts = parseFacts(output);
  const patterns = (wanted: readonly string[] = [], excluded: readonly string[] = []): readonly string[] =>
    leftOut(facts, wanted, excluded).map(({ pattern }) => pattern);

  test('are the folders of the kernel, other file systems, swap and what was asked for', () => {
    expect(patterns([], ['*.log'])).toEqual([
      ...['/proc/*', '/sys/*', '/dev/*', '/run/*', '/lost+found/*'],
      ...['/srv/my data/*', '/tmp/*', '/swap file', '*.log'],
    ]);
  });

  test('is not a file system that is wanted', () => {
    expect(patterns(['/srv/my data'])).not.toContain('/srv/my data/*');
  });

  test('are no subvolumes of the root file system', () => {
    const mounts = ['/', '/home'].map(path => ({ path, type: 'btrfs', source: '/dev/sda1' }));
    expect(leftOut({ mounts, swapFiles: [] }, [], []).map(({ what }) => what)).not.toContain('/home');
  });

  test('is named literally, whatever its path holds', () => {
    const mounts = [{ path: '/a*[b]', type: 'ext4', source: '/dev/sdb' }];
    expect(leftOut({ mounts, swapFiles: [] }, [], []).at(-1)?.pattern).toBe('/a\\*\\[b]/*');
  });
});

test('services that have nothing to do in a container are told', () => {
  expect(restlessServices(['chrony.service', 'nginx.service', 'constructor'])).toEqual([
    ['chrony.service', "the clock is the host's"],
  ]);
});
