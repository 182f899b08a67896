import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';
import { rootfsOf } from './harness/peers.ts';
import { SshMachine } from './harness/ssh-machine.ts';

const daemon = useDaemon({ storage: 'dir', network: true });
const machine = new SshMachine();

const inMachine = (file: string): string => path.join(machine.root, file);
const arrived = (file: string): string => path.join(rootfsOf(daemon, 'default', 'moved'), file);

beforeAll(async () => {
  await machine.start();
  mkdirSync(inMachine('usr/lib'), { recursive: true });
  writeFileSync(inMachine('usr/lib/os-release'), 'ID=busybox\nPRETTY_NAME="Busy Box"\n');
  execFileSync('ln', ['-s', '../usr/lib/os-release', inMachine('etc/os-release')]);
  mkdirSync(inMachine('etc/network'), { recursive: true });
  mkdirSync(inMachine('etc/ssh'));
  writeFileSync(inMachine('etc/ssh/ssh_host_key'), 'host key', { mode: 0o600 });
  writeFileSync(inMachine('etc/machine-id'), '0123\n');
  writeFileSync(inMachine('etc/fstab'), 'UUID=1 / ext4 defaults 0 1\ntmpfs /tmp tmpfs size=1m 0 0\n');
  writeFileSync(inMachine('etc/network/interfaces'), 'auto ens3\niface ens3 inet static\n');
  writeFileSync(inMachine('mnt/other'), 'on another file system');
  writeFileSync(inMachine("home/it's [x] $(id)"), 'odd');
  writeFileSync(inMachine('home/skipped.log'), 'log');
  writeFileSync(inMachine('home/hers'), 'hers');
  execFileSync('chown', ['1000:1001', inMachine('home/hers')]);
});
afterAll(() => machine.stop());

async function importHost(...words: readonly string[]): ReturnType<typeof daemon.cli> {
  return await daemon.cli(['import-host', 'machine', ...words, '--ssh-config', machine.config]);
}

test('a plan tells what stays behind and changes nothing', async () => {
  const { status, stdout, stderr } = await importHost('moved', '--plan', '--exclude', '/home/*.log');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('send  machine:/  (the root file system)\n');
  expect(stdout).toContain('skip  /mnt  (tmpfs)\n');
  expect(stdout).toContain('skip  /home/*.log  (you asked for it)\n');
  expect((await daemon.request('GET', '/1.0/instances')).json?.metadata).toEqual([]);
});

test('a machine becomes an instance while it runs: with its identity, without its disks, and it starts', async () => {
  const { status, stdout, stderr } = await importHost('moved', '--exclude', '/home/*.log');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('Changed /etc/fstab: disks are commented out; as it was in /etc/fstab.before-move\n');
  expect(readFileSync(arrived('etc/fstab'), 'utf8')).toBe(
    '# UUID=1 / ext4 defaults 0 1\ntmpfs /tmp tmpfs size=1m 0 0\n',
  );
  expect(readFileSync(arrived('etc/fstab.before-move'), 'utf8')).toContain('\ntmpfs');
  expect(readFileSync(arrived('etc/network/interfaces'), 'utf8')).toContain('iface eth0 inet dhcp');
  expect(readFileSync(arrived('etc/machine-id'), 'utf8')).toBe('0123\n');
  expect(statSync(arrived('etc/ssh/ssh_host_key')).mode & 0o777).toBe(0o600);
  expect([statSync(arrived('home/hers')).uid, statSync(arrived('home/hers')).gid]).toEqual([1000, 1001]);
  expect(readFileSync(arrived("home/it's [x] $(id)"), 'utf8')).toBe('odd');
  for (const file of ['mnt/other', 'home/skipped.log', 'proc/1']) expect(existsSync(arrived(file)), file).toBe(false);
  expect(readdirSync(arrived('tmp'))).toEqual([]);
  expect(readdirSync(inMachine('tmp'))).toEqual([]);
  const { json } = await daemon.request('GET', '/1.0/instances/moved');
  expect(json?.metadata).toMatchObject({ config: { 'image.os': 'busybox', 'image.description': 'Busy Box' } });
  await daemon.must('start', 'moved');
  expect(await daemon.must('exec', 'moved', '--', 'cat', '/home/hers')).toBe('hers');
  await daemon.must('stop', 'moved', '--force');
});

test('a second pass catches up, and forgets what the machine has no more', async () => {
  const taken = await importHost('moved');
  expect(taken.stderr).toContain('already exists: "--final" brings it up to date');
  writeFileSync(inMachine('home/new'), 'new');
  rmSync(inMachine('home/hers'));
  const { status, stderr } = await importHost('moved', '--final', '--mount', '/mnt');
  expect([status, stderr]).toEqual([0, '']);
  expect(readFileSync(arrived('home/new'), 'utf8')).toBe('new');
  expect(readFileSync(arrived('mnt/other'), 'utf8')).toBe('on another file system');
  expect(existsSync(arrived('home/hers'))).toBe(false);
  expect(readFileSync(arrived('etc/fstab'), 'utf8')).toContain('# UUID=1');
  await daemon.must('delete', 'moved');
});

test('a machine that cannot be reached, and options in the place of one, are refused', async () => {
  const gone = await importHost('moved', '--port', '1');
  expect(gone.stderr).toMatch(/^Error: Cannot log in to "machine" as root: .*\n$/);
  const option = await daemon.cli(['import-host', '--', '-oProxyCommand=touch /tmp/owned', 'moved']);
  expect(option.stderr).toContain('is no machine');
  expect((await daemon.request('GET', '/1.0/instances')).json?.metadata).toEqual([]);
});
