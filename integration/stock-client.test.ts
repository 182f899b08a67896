import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';
import { freePort } from './harness/free-port.ts';

/** The unmodified client of the distribution drives our daemon. */
describe.skipIf(!existsSync('/usr/bin/lxc'))('the stock lxc client', () => {
  const daemon = useDaemon({ storage: 'btrfs', network: true });

  async function lxc(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await daemon.lxc(args);
    if (status !== 0) throw new Error(`lxc ${args.join(' ')} exited with ${String(status)}: ${stderr}${stdout}`);
    return stdout;
  }

  test('launches, lists and shows', async () => {
    await lxc('launch', 'tiny', 'c1');
    expect(await lxc('list', '--format', 'csv', '-c', 'ns')).toBe('c1,RUNNING\n');
    expect(await lxc('info', 'c1')).toContain('Status: RUNNING');
    expect(await lxc('info')).toContain('api_version: "1.0"');
    expect(await settled(async () => (await lxc('list', '--format', 'csv', '-c', '4')).includes('10.'))).toBe(true);
  });

  test('runs commands with status and input', async () => {
    expect((await daemon.lxc(['exec', 'c1', '--', 'sh', '-c', 'cat; exit 9'], { input: 'hello' })).stdout).toBe(
      'hello',
    );
    expect((await daemon.lxc(['exec', 'c1', '--', 'sh', '-c', 'exit 9'])).status).toBe(9);
  });

  test('changes config, devices and profiles', async () => {
    await lxc('config', 'set', 'c1', 'limits.memory', '256MiB');
    expect(await lxc('config', 'get', 'c1', 'limits.memory')).toBe('256MiB\n');
    await lxc('config', 'device', 'add', 'c1', 'etc', 'disk', 'source=/etc', 'path=/mnt/etc', 'readonly=true');
    expect(await lxc('exec', 'c1', '--', 'ls', '/mnt/etc')).toContain('passwd');
    await lxc('config', 'device', 'remove', 'c1', 'etc');
    await lxc('profile', 'create', 'p1');
    await lxc('profile', 'set', 'p1', 'user.x', 'y');
    await lxc('profile', 'add', 'c1', 'p1');
    expect(await lxc('config', 'show', 'c1', '--expanded')).toContain('user.x: "y"');
    await lxc('profile', 'remove', 'c1', 'p1');
    await lxc('profile', 'delete', 'p1');
  });

  test('pushes and pulls files', async () => {
    await daemon.lxc(['file', 'push', '-', 'c1/root/note', '--mode=0640'], { input: 'text' });
    expect(await lxc('file', 'pull', 'c1/root/note', '-')).toBe('text');
    await lxc('file', 'delete', 'c1/root/note');
  });

  test('snapshots, restores, copies, renames', async () => {
    await lxc('exec', 'c1', '--', 'touch', '/root/kept');
    await lxc('snapshot', 'c1', 'snap0');
    await lxc('exec', 'c1', '--', 'rm', '/root/kept');
    await lxc('restore', 'c1', 'snap0');
    expect(await lxc('exec', 'c1', '--', 'ls', '/root')).toContain('kept');
    await lxc('copy', 'c1/snap0', 'c2');
    await lxc('move', 'c2', 'c3');
    expect(await lxc('list', '--format', 'csv', '-c', 'nS')).toBe('c1,1\nc3,0\n');
    await lxc('copy', 'c1', 'c4', '--instance-only');
    expect(await lxc('list', '--format', 'csv', '-c', 'nS', 'c4')).toBe('c4,0\n');
    await lxc('delete', 'c4');
    await lxc('delete', 'c1/snap0');
  });

  test('stops, starts, restarts, pauses, all at once too', async () => {
    await lxc('stop', 'c1');
    await lxc('start', 'c1');
    await lxc('restart', '--force', 'c1');
    await lxc('pause', 'c1');
    await lxc('start', 'c1');
    await lxc('start', 'c3');
    await lxc('stop', '--all', '--force');
    expect(await lxc('list', '--format', 'csv', '-c', 's')).toBe('STOPPED\nSTOPPED\n');
  });

  test('looks after images, storage and networks', async () => {
    expect(await lxc('image', 'list', '--format', 'csv')).toContain('tiny');
    expect(await lxc('image', 'info', 'tiny')).toContain('Architecture: x86_64');
    await lxc('image', 'alias', 'create', 'other', await fingerprint());
    await lxc('image', 'alias', 'delete', 'other');
    expect(await lxc('storage', 'list', '--format', 'csv')).toContain('default');
    expect(await lxc('storage', 'info', 'default')).toContain('space used');
    expect(await lxc('network', 'list', '--format', 'csv')).toContain(daemon.bridge);
    expect(await lxc('network', 'show', daemon.bridge)).toContain('ipv4.nat: "true"');
    expect(await lxc('network', 'list-leases', daemon.bridge)).toContain('c1');
  });

  async function fingerprint(): Promise<string> {
    return /^Fingerprint: (\w+)$/m.exec(await lxc('image', 'info', 'tiny'))?.[1] ?? '';
  }

  test('joins over TLS with a token', async () => {
    await lxc('config', 'set', 'core.https_address', `127.0.0.1:${String(await freePort())}`);
    const token = (await lxc('config', 'trust', 'add', '--name', 'guest', '-q')).trim().split('\n').pop() ?? '';
    await lxc('remote', 'add', 'far', token);
    expect(await lxc('list', 'far:', '--format', 'csv', '-c', 'n')).toContain('c1');
    expect(await lxc('config', 'trust', 'list', '--format', 'csv')).toContain('guest');
    await lxc('config', 'unset', 'core.https_address');
  });

  test('deletes', async () => {
    await lxc('delete', 'c1', 'c3');
    expect(await lxc('list', '--format', 'csv')).toBe('');
  });
});
