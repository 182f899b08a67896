import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installedPath } from '#base/install-root.ts';
import { settled, useDaemon } from './harness/fixture.ts';
import { freePort } from './harness/free-port.ts';
import { type Output, runProgram } from './harness/run-program.ts';

/** OpenSSH's client speaks SFTP with the daemon; the stock client carries the bytes. */
describe.skipIf(!existsSync('/usr/bin/lxc')).each(['running', 'stopped'])('files of a %s instance over SFTP', state => {
  const daemon = useDaemon({ storage: 'btrfs' });
  const folder = mkdtempSync('/tmp/sftp-');
  let bridge: ReturnType<typeof spawn>;
  let port: number;
  beforeAll(async () => {
    await daemon.must(state === 'running' ? 'launch' : 'init', 'tiny', 'c1');
    port = await freePort();
    const env = { ...process.env, LXD_DIR: daemon.directory, LXD_CONF: path.join(daemon.directory, 'lxc') };
    const args = ['file', 'mount', 'c1', `--listen=127.0.0.1:${String(port)}`, '--no-auth'];
    bridge = spawn('lxc', args, { env, stdio: 'ignore' });
    await settled(async () => (await sftp('pwd')).status === 0);
  });
  afterAll(async () => {
    const ended = new Promise(resolve => bridge.once('exit', resolve));
    bridge.kill();
    await ended;
    rmSync(folder, { recursive: true });
  });

  async function sftp(...commands: readonly string[]): Promise<Output> {
    const options = ['-oStrictHostKeyChecking=no', '-oUserKnownHostsFile=/dev/null', '-oLogLevel=ERROR'];
    return await runProgram('sftp', [...options, '-P', String(port), '-b', '-', 'root@127.0.0.1'], {
      env: { PATH: process.env['PATH'] ?? '', HOME: folder },
      input: `${commands.join('\n')}\n`,
    });
  }

  test('content goes in and comes out unchanged', async () => {
    const content = Buffer.alloc(3 * 2 ** 20, 'content ');
    writeFileSync(path.join(folder, 'in'), content);
    const { status, stderr } = await sftp(`put ${folder}/in /root/big`, `get /root/big ${folder}/out`);
    expect([status, stderr]).toEqual([0, '']);
    expect(readFileSync(path.join(folder, 'out')).equals(content)).toBe(true);
  });

  test('folders, links, modes and names', async () => {
    const { status, stdout } = await sftp(
      'mkdir /root/d',
      'rename /root/big /root/d/moved',
      'chmod 600 /root/d/moved',
      'chown 1000 /root/d/moved',
      'symlink moved /root/d/link',
      'ls -ln /root/d',
      'rm /root/d/*',
      'rmdir /root/d',
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/-rw------- .*1000 .*moved/);
    expect(stdout).toMatch(/lrwxrwxrwx .*link/);
  });

  test.skipIf(!existsSync('/dev/fuse') || !existsSync('/usr/bin/sshfs'))('is mounted by our command line', async () => {
    const mounted = path.join(folder, 'mnt');
    mkdirSync(mounted);
    const env = { ...process.env, LXD_LIKE_DIR: daemon.directory };
    const mounter = spawn(installedPath('lxd-like'), ['file', 'mount', 'c1/etc', mounted], { env, stdio: 'ignore' });
    const ended = new Promise(resolve => mounter.once('exit', resolve));
    await settled(() => readdirSync(mounted).includes('passwd'));
    writeFileSync(path.join(mounted, 'written'), 'here');
    expect(readFileSync(path.join(mounted, 'written'), 'utf8')).toBe('here');
    mounter.kill('SIGINT');
    await ended;
    expect(readdirSync(mounted)).toEqual([]);
    expect(await daemon.must('file', 'pull', 'c1/etc/written', '-')).toBe('here');
  });

  test('what is not there is said so', async () => {
    const { status, stderr } = await sftp('get /root/nothere');
    expect(status).toBe(1);
    expect(stderr).toContain('not found');
  });
});
