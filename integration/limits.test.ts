import { expect, test } from 'vitest';
import { limitOf } from './harness/cgroup-limit.ts';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });

async function pid(): Promise<number> {
  return (await daemon.request('GET', '/1.0/instances/c1/state')).json?.metadata.pid as number;
}

test('limits are in force from the start', async () => {
  await daemon.must(
    'launch',
    'tiny',
    'c1',
    '-c',
    'limits.memory=256MiB',
    '-c',
    'limits.processes=50',
    '-c',
    'limits.cpu=1',
  );
  expect(limitOf(await pid(), 'memory', 'memory.max', 'memory.limit_in_bytes')).toBe(String(256 * 2 ** 20));
  expect(limitOf(await pid(), 'pids', 'pids.max', 'pids.max')).toBe('50');
  expect(await daemon.must('exec', 'c1', '--', 'nproc')).toBe('1\n');
});

test('a changed limit holds at once in the running container', async () => {
  await daemon.must('config', 'set', 'c1', 'limits.memory', '128MiB');
  expect(limitOf(await pid(), 'memory', 'memory.max', 'memory.limit_in_bytes')).toBe(String(128 * 2 ** 20));
  await daemon.must('config', 'unset', 'c1', 'limits.memory');
  expect(
    Number(limitOf(await pid(), 'memory', 'memory.max', 'memory.limit_in_bytes').replace('max', '9e18')),
  ).toBeGreaterThan(2 ** 40);
});

test('a fork bomb ends at limits.processes and harms only its container', async () => {
  const { stderr, stdout } = await daemon.cli([
    'exec',
    'c1',
    '--',
    'sh',
    '-c',
    'for i in $(seq 100); do sleep 5 & done; echo end',
  ]);
  expect(stdout + stderr).toMatch(/fork|Resource/i);
  expect((await daemon.request('GET', '/1.0')).status).toBe(200);
});

test('a disk quota stops writing', async () => {
  await daemon.must('config', 'device', 'override', 'c1', 'root', 'size=50MiB');
  const { stderr } = await daemon.cli([
    'exec',
    'c1',
    '--',
    'dd',
    'if=/dev/urandom',
    'of=/root/big',
    'bs=1M',
    'count=100',
  ]);
  expect(stderr).toMatch(/quota|space/i);
});

test.each([
  ['limits.memory', '-1'],
  ['limits.memory', '99999999999999EiB'],
  ['limits.processes', 'many'],
  ['limits.cpu', '0-99999999'],
  ['limits.cpu.allowance', '50'],
  ['boot.autostart', 'perhaps'],
  ['no.such.key', 'x'],
  ['environment.X', 'two\nlines'],
])('%s=%j is refused by name and changes nothing', async (key, value) => {
  const before = (await daemon.request('GET', '/1.0/instances/c1')).json?.metadata.config as Record<string, string>;
  const answer = await daemon.request('PATCH', '/1.0/instances/c1', { config: { [key]: value } });
  expect({ status: answer.status, names: answer.json?.error.includes(key) }).toEqual({ status: 400, names: true });
  expect((await daemon.request('GET', '/1.0/instances/c1')).json?.metadata.config).toEqual(before);
});
