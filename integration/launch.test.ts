import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';

/** The main job on a real Debian 12: built from this machine's own archive, with systemd, network, snapshots. */
const daemon = useDaemon({ storage: 'btrfs', network: true, image: false });

test('a Debian 12 image is built from the distribution archive, and the lists of apt on the host stay', async () => {
  const list = '/var/lib/apt/lists/lxd-like-test';
  writeFileSync(list, '');
  const { status, stderr } = await daemon.cli(['image', 'build', 'debian/12'], { timeoutMs: 280_000 });
  const kept = existsSync(list);
  rmSync(list, { force: true });
  expect({ status, stderr, kept }).toEqual({ status: 0, stderr: '', kept: true });
  expect(await daemon.must('image', 'list', '--format', 'csv')).toContain('debian/12');
}, 300_000);

test('launch brings systemd up healthy, with an address and a name', async () => {
  await daemon.must('launch', 'debian/12', 'web', '-c', 'limits.memory=1GiB');
  const running = await settled(async () => {
    const { stdout } = await daemon.cli(['exec', 'web', '--', 'systemctl', 'is-system-running']);
    return stdout.trim() === 'running';
  }, 60_000);
  const failed = await daemon.cli(['exec', 'web', '--', 'systemctl', '--failed', '--no-legend']);
  expect({ running, failed: failed.stdout }).toEqual({ running: true, failed: '' });
  expect(await settled(async () => (await daemon.must('list', '-f', 'csv', '-c', '4')).includes('eth0'), 30_000)).toBe(
    true,
  );
  expect(await daemon.must('exec', 'web', '--', 'hostname')).toBe('web\n');
});

test('names are resolved and the host is reached', async () => {
  await daemon.must('launch', 'debian/12', 'db');
  const found = await settled(
    async () => (await daemon.cli(['exec', 'web', '--', 'getent', 'hosts', 'db.lxd'])).status === 0,
    60_000,
  );
  expect(found).toBe(true);
});

test('a reboot from inside comes back healthy, still unprivileged', async () => {
  await daemon.cli(['exec', 'web', '--', 'systemctl', 'reboot']);
  const back = await settled(async () => {
    const { stdout } = await daemon.cli([
      'exec',
      'web',
      '--',
      'sh',
      '-c',
      'systemctl is-system-running; touch /root/x; stat -c %u /root/x',
    ]);
    return stdout === 'running\n0\n';
  }, 60_000);
  expect(back).toBe(true);
});

test('a clean stop lets systemd finish', async () => {
  await daemon.must('stop', 'web', '--timeout=30');
  expect(await daemon.must('list', 'web', '-f', 'csv', '-c', 's')).toBe('STOPPED\n');
  await daemon.must('start', 'web');
});

test('the console shows the boot and takes a key', async () => {
  await settled(async () => (await daemon.cli(['console', 'web', '--show-log'])).stdout.includes('Debian'), 20_000);
  expect(await daemon.must('console', 'web', '--show-log')).toContain('Debian GNU/Linux 12');
});

test('the same recipe gives the same image, with its package list', async () => {
  const folder = mkdtempSync('/tmp/lxd-like-export-');
  await daemon.must('image', 'export', 'debian/12', path.join(folder, 'image'));
  expect(statSync(path.join(folder, readdirSync(folder)[0] ?? '')).size).toBeGreaterThan(20 * 2 ** 20);
  rmSync(folder, { recursive: true });
  const first = (await daemon.must('image', 'info', 'debian/12')).match(/^Fingerprint: (\w+)/m)?.[1];
  await daemon.cli(['image', 'build', 'debian/12'], { timeoutMs: 280_000 });
  expect((await daemon.must('image', 'info', 'debian/12')).match(/^Fingerprint: (\w+)/m)?.[1]).toBe(first);
}, 300_000);
