import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });

beforeAll(async () => {
  await daemon.must('storage', 'create', 'plain', 'dir');
});

const early = `
mkdir -p etc/dir home/moved/deep; echo a > etc/kept; echo a > etc/grows; echo a > etc/replaced; echo a > etc/gone
echo a > etc/mode; echo a > home/moved/deep/file; echo a > home/moved/deep/other; ln -s a etc/link; echo a > etc/linked
`;
const later = `
echo more >> etc/grows; echo b > etc/tmp; mv etc/tmp etc/replaced; rm etc/gone; chmod 600 etc/mode; echo new > etc/new
rm etc/link; ln -s b etc/link; mkdir etc/dir/sub; echo x > etc/dir/sub/x; ln etc/linked etc/second
`;

describe.each([
  ['btrfs', 'default'],
  ['dir', 'plain'],
])('what differs between snapshots on %s', (_, pool) => {
  const name = `c-${pool}`;
  const shell = (script: string): void => {
    const rootfs = path.join(daemon.directory, 'storage-pools', pool, 'containers', name, 'rootfs');
    execFileSync('sh', ['-ec', script], { cwd: rootfs });
  };
  const diff = async (...args: readonly string[]): Promise<readonly string[]> => {
    const text = await daemon.must('snapshot', 'diff', name, ...args, '--format', 'csv');
    return text.trim().split('\n').filter(Boolean);
  };

  test('is told by name and kind', async () => {
    await daemon.must('init', 'tiny', name, '-s', pool);
    shell(early);
    await daemon.must('snapshot', name, 'one');
    expect(await diff('one')).toEqual([]);
    shell(later);
    await daemon.must('snapshot', name, 'two');
    shell('echo now > etc/latest');
    expect(await diff('one', 'two')).toEqual([
      'added,/etc/dir/sub',
      'added,/etc/dir/sub/x',
      'removed,/etc/gone',
      'changed,/etc/grows',
      'changed,/etc/link',
      'changed,/etc/mode',
      'added,/etc/new',
      'changed,/etc/replaced',
      'added,/etc/second',
    ]);
    expect(await diff('one', 'two', '/etc/dir')).toEqual(['added,/etc/dir/sub', 'added,/etc/dir/sub/x']);
    expect(await diff()).toEqual(['added,/etc/latest']);
    expect(await diff('two', 'one', '/etc/gone')).toEqual(['added,/etc/gone']);
  });

  test('of what does not exist is refused', async () => {
    expect((await daemon.cli(['snapshot', 'diff', name, 'none'])).stderr).toContain('"none" not found');
    expect((await daemon.cli(['snapshot', 'diff', name, 'one', 'none'])).stderr).toContain('"none" not found');
  });
});

test('on btrfs what was renamed is told so, with what changed inside', async () => {
  const rootfs = path.join(daemon.directory, 'storage-pools/default/containers/c-default/rootfs');
  await daemon.must('snapshot', 'c-default', 'before');
  execFileSync('sh', ['-ec', 'mv home/moved home/here; echo b >> home/here/deep/file; mv etc/kept etc/held'], {
    cwd: rootfs,
  });
  expect(await daemon.must('snapshot', 'diff', 'c-default', 'before', '--format', 'csv')).toBe(
    'renamed,/etc/kept -> /etc/held\nrenamed,/home/moved -> /home/here\nchanged,/home/here/deep/file\n',
  );
});
