import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';
import { hostPidOfInit } from './harness/processes.ts';

const daemon = useDaemon({ storage: 'btrfs', network: true });

async function pid(name: string): Promise<number> {
  return (await daemon.request('GET', `/1.0/instances/${name}/state`)).json?.metadata.pid as number;
}

async function statusOf(name: string): Promise<string> {
  return (await daemon.request('GET', `/1.0/instances/${name}`)).json?.metadata.status as string;
}

test('a daemon that is killed finds its containers running, with the same init', async () => {
  await daemon.must('launch', 'tiny', 'c1');
  const before = await pid('c1');
  await daemon.kill();
  await daemon.start();
  expect(await pid('c1')).toBe(before);
  expect(await daemon.must('exec', 'c1', '--', 'hostname')).toBe('c1\n');
});

test('the very first answer of a new daemon knows what runs', async () => {
  await daemon.kill();
  daemon.spawn();
  let status: string | undefined;
  await settled(async () => {
    status = await statusOf('c1').catch(() => undefined);
    return status !== undefined;
  });
  expect(status).toBe('Running');
});

test('an upgrade of the daemon leaves containers and their network alone', async () => {
  expect(await settled(async () => (await daemon.must('list', '-f', 'csv', '-c', '4')).includes('10.'))).toBe(true);
  const before = await pid('c1');
  await daemon.terminate();
  await daemon.start();
  expect(await pid('c1')).toBe(before);
  expect(await daemon.must('list', '-f', 'csv', '-c', '4')).toContain('10.');
});

test('a container that ended while the daemon was away is stopped and can be started', async () => {
  await daemon.kill();
  process.kill(hostPidOfInit(daemon.directory, 'c1'), 'SIGKILL');
  await daemon.start();
  expect(await settled(async () => (await statusOf('c1')) === 'Stopped')).toBe(true);
  await daemon.must('start', 'c1');
});

test('a reboot that the guest asked for while the daemon was away is carried out', async () => {
  await daemon.kill();
  process.kill(hostPidOfInit(daemon.directory, 'c1'), 'SIGINT');
  await new Promise(resolve => setTimeout(resolve, 1000));
  await daemon.start();
  expect(await settled(async () => (await statusOf('c1')) === 'Running')).toBe(true);
});

test('shutdown stops containers cleanly, and boot.autostart and the last state bring them back', async () => {
  await daemon.must('init', 'tiny', 'auto', '-c', 'boot.autostart=true');
  await daemon.must('init', 'tiny', 'off');
  await daemon.must('shutdown', '--timeout=30');
  await daemon.ended();
  expect(readdirSync('/sys/class/net')).not.toContain(daemon.bridge);
  await daemon.start();
  expect(await daemon.must('list', '-f', 'csv', '-c', 'ns')).toBe('auto,RUNNING\nc1,RUNNING\noff,STOPPED\n');
});

test('a second daemon on the same directory is refused and the first one goes on', async () => {
  const second = await daemon.cli(['daemon']);
  expect(second.status).not.toBe(0);
  expect((await daemon.request('GET', '/1.0')).status).toBe(200);
});
