import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settled } from './harness/fixture.ts';
import { TestDaemon } from './harness/daemon.ts';
import { type HostState, hostState, leftovers } from './harness/host.ts';

/** The second half of quickstart, on a machine whose packages are installed, with a state directory of its own. */
const daemon = new TestDaemon();
let before: HostState;

async function quickstart(...options: readonly string[]): Promise<string> {
  return await daemon.must('quickstart', '--prepared', '--yes', '--size', '5GiB', ...options);
}

function supervisor(): number {
  return Number(readFileSync(path.join(daemon.directory, 'supervisor.pid'), 'utf8'));
}

beforeAll(() => {
  before = hostState();
});

afterAll(async () => {
  await daemon.empty();
  await daemon.must('shutdown', '--timeout=30');
  await settled(() => leftovers(before, hostState()).length === 0);
  daemon.remove();
  expect(leftovers(before, hostState())).toEqual([]);
});

test('it sets a machine up, each step on a line of its own', async () => {
  const text = await quickstart('--no-container');
  expect(text.replace(/\d+\.\d s/g, 'N s').replace(/: .* \(/g, ' (')).toBe(
    [
      '  ok  Starting the daemon (N s)',
      '  ok  Making a storage pool (N s)',
      '  ok  Making a network (N s)',
      '  ok  Preparing the default profile (N s)',
      '',
    ].join('\n'),
  );
});

test('again it leaves alone what is there', async () => {
  const text = await quickstart('--no-container');
  expect(text.match(/already|complete/g)).toHaveLength(4);
});

test('the daemon is started again when it dies', async () => {
  const daemonPid = (): string => execFileSync('pgrep', ['-P', String(supervisor())], { encoding: 'utf8' }).trim();
  const first = daemonPid();
  process.kill(Number(first), 'SIGKILL');
  await settled(async () => (await daemon.cli(['query', '/1.0'])).status === 0);
  expect(daemonPid()).not.toBe(first);
});

test('a step that fails says what stood in the way and leaves the rest usable', async () => {
  const { status, stdout, stderr } = await daemon.cli(['quickstart', '--prepared', '--image', 'no/such']);
  expect(status).toBe(1);
  expect(stdout).toContain('!!  Building the image no/such');
  expect(stderr).toMatch(/^Error: .*recipe/);
});
