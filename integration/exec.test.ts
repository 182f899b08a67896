import { expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });

async function exec(...args: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return await daemon.cli(['exec', 'c1', ...args]);
}

test('a command gives its output, errors and status apart', async () => {
  await daemon.must('launch', 'tiny', 'c1');
  expect(await exec('--', 'sh', '-c', 'echo out; echo err >&2; exit 7')).toEqual({
    status: 7,
    stdout: 'out\n',
    stderr: 'err\n',
  });
});

test.each([
  ['a command that is not there', ['--', 'no-such-command'], 127],
  ['a command that is no program', ['--', '/etc/passwd'], 126],
  ['a command ended by a signal', ['--', 'sh', '-c', 'kill -KILL $$'], 137],
])('%s', async (_what, args, status) => {
  expect((await exec(...args)).status).toBe(status);
});

test('user, group, folder and environment are as asked', async () => {
  const { stdout } = await exec(
    '--user=1000',
    '--group=1000',
    '--cwd=/tmp',
    '--env',
    'A=b c',
    '--',
    'sh',
    '-c',
    'id -u; id -g; pwd; echo "$A"',
  );
  expect(stdout).toBe('1000\n1000\n/tmp\nb c\n');
});

test('standard input reaches the program and its end too', async () => {
  const { stdout } = await daemon.cli(['exec', 'c1', '--', 'sh', '-c', 'wc -c; echo done'], {
    input: 'x'.repeat(100_000),
  });
  expect(stdout).toBe('100000\ndone\n');
});

test('the program may close its input early and still write', async () => {
  const { stdout, status } = await daemon.cli(['exec', 'c1', '--', 'sh', '-c', 'exec <&-; sleep 0.2; echo still'], {
    input: 'y'.repeat(1_000_000),
  });
  expect({ stdout, status }).toEqual({ stdout: 'still\n', status: 0 });
});

test('a terminal is a terminal of the guest, of the size asked for', async () => {
  const { stdout } = await exec('-t', '--', 'sh', '-c', 'tty; stty size');
  expect(stdout).toMatch(/^\/dev\/pts\/\d+\r\n\d+ \d+\r\n$/);
});

test('the program sees only its three descriptors and the filter of init', async () => {
  const { stdout } = await exec('--', 'sh', '-c', 'ls /proc/self/fd | tr "\\n" " "; grep Seccomp: /proc/self/status');
  expect(stdout).toMatch(/^0 1 2 3 Seccomp:\t2\n$/); // 3 is ls's own folder
});

test('a gigabyte goes through without the daemon growing', async () => {
  const resident = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(daemon.pid)}/status`, 'utf8'))?.[1]) / 1024;
  const before = resident();
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, resident())), 50);
  const { spawn } = await import('node:child_process');
  const { installedPath } = await import('#base/install-root.ts');
  const child = spawn(installedPath('lxd-like'), ['exec', 'c1', '--', 'head', '-c', String(2 ** 30), '/dev/zero'], {
    env: { PATH: process.env['PATH'] ?? '', LXD_LIKE_DIR: daemon.directory },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += (chunk as Buffer).length;
  clearInterval(watch);
  expect(bytes).toBe(2 ** 30);
  expect(most - before).toBeLessThan(100);
});

test('twenty commands at once all end well', async () => {
  const results = await Promise.all(Array.from({ length: 20 }, (_, n) => exec('--', 'sh', '-c', `exit ${String(n)}`)));
  expect(results.map(result => result.status)).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

test('exec in a stopped container says how to go on', async () => {
  await daemon.must('stop', 'c1', '--force');
  const { status, stderr } = await exec('--', 'true');
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/not running/) as string });
});
