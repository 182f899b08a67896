import { expect, describe, test } from 'vitest';
import { settled, storageDrivers, useDaemon } from './harness/fixture.ts';

describe.each(storageDrivers)('instances on %s', storage => {
  const daemon = useDaemon({ storage });

  async function statusOf(name: string): Promise<string> {
    return (await daemon.request('GET', `/1.0/instances/${name}`)).json?.metadata.status as string;
  }

  test('launch makes a running container, which list shows', async () => {
    await daemon.must('launch', 'tiny', 'c1');
    expect(await daemon.must('list', '--format', 'csv', '-c', 'ns')).toBe('c1,RUNNING\n');
  });

  test('root in the container is an ordinary user of the host', async () => {
    const { json } = await daemon.request('GET', '/1.0/instances/c1/state');
    const { readFileSync } = await import('node:fs');
    const map = readFileSync(`/proc/${String(json?.metadata.pid)}/uid_map`, 'utf8')
      .trim()
      .split(/\s+/);
    expect(Number(map[1])).toBeGreaterThan(0);
    expect(await daemon.must('exec', 'c1', '--', 'sh', '-c', 'id -u; touch /root/mine; stat -c %u /root/mine')).toBe(
      '0\n0\n',
    );
  });

  test('the hostname template was rendered', async () => {
    expect(await daemon.must('exec', 'c1', '--', 'hostname')).toBe('c1\n');
  });

  test('stop, start, restart, pause and start again', async () => {
    await daemon.must('stop', 'c1');
    expect(await statusOf('c1')).toBe('Stopped');
    await daemon.must('start', 'c1');
    await daemon.must('restart', 'c1', '--force');
    expect(await statusOf('c1')).toBe('Running');
    await daemon.must('pause', 'c1');
    expect(await statusOf('c1')).toBe('Frozen');
    await daemon.must('start', 'c1');
    expect(await statusOf('c1')).toBe('Running');
  });

  test('a failed start points to the log, where there can be one', async () => {
    expect((await daemon.cli(['start', 'c1'])).stderr).toMatch(/already running\. Try "lxd-like info --show-log c1"/);
    expect((await daemon.cli(['start', 'nope'])).stderr).toBe('Error: Instance "nope" not found\n');
  });

  test('a reboot by the guest keeps the container running with its files writable', async () => {
    const pid = async (): Promise<number> =>
      (await daemon.request('GET', '/1.0/instances/c1/state')).json?.metadata.pid as number;
    const first = await pid();
    await daemon.cli(['exec', 'c1', '--', 'kill', '-INT', '1']);
    const restarted = async (): Promise<boolean> => {
      const now = await pid(); // 0 in between
      return now > 0 && now !== first;
    };
    expect(await settled(restarted)).toBe(true);
    expect(await daemon.must('exec', 'c1', '--', 'sh', '-c', 'touch /root/after && stat -c %u /root/after')).toBe(
      '0\n',
    );
  });

  test('a power-off by the guest stops the container', async () => {
    await daemon.cli(['exec', 'c1', '--', 'kill', '-PWR', '1']);
    expect(await settled(async () => (await statusOf('c1')) === 'Stopped')).toBe(true);
  });

  test('rename moves it with its files', async () => {
    await daemon.must('rename', 'c1', 'c2');
    await daemon.must('start', 'c2');
    expect(await daemon.must('exec', 'c2', '--', 'ls', '/root')).toContain('mine');
    expect((await daemon.request('GET', '/1.0/instances/c1')).status).toBe(404);
  });

  test('a running container is not deleted unless forced', async () => {
    const refused = await daemon.cli(['delete', 'c2']);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('running');
    await daemon.must('delete', 'c2', '--force');
    expect(await daemon.must('list', '--format', 'csv')).toBe('');
  });

  test('an ephemeral container is gone when it stops', async () => {
    await daemon.must('launch', 'tiny', 'brief', '--ephemeral');
    await daemon.must('stop', 'brief', '--force');
    expect(await settled(async () => (await daemon.request('GET', '/1.0/instances/brief')).status === 404)).toBe(true);
  });

  test('snapshots are made, listed, renamed, restored with their config, and deleted', async () => {
    await daemon.must('launch', 'tiny', 's1');
    await daemon.must('exec', 's1', '--', 'sh', '-c', 'echo old >/root/file');
    await daemon.must('config', 'set', 's1', 'user.note=old');
    await daemon.must('snapshot', 's1', 'first');
    await daemon.must('exec', 's1', '--', 'sh', '-c', 'echo new >/root/file');
    await daemon.must('config', 'set', 's1', 'user.note=new');
    await daemon.must('rename', 's1/first', 's1/before');
    expect((await daemon.request('GET', '/1.0/instances/s1/snapshots')).json?.metadata).toEqual([
      '/1.0/instances/s1/snapshots/before',
    ]);
    await daemon.must('restore', 's1', 'before', '--no-snapshot');
    expect(await statusOf('s1')).toBe('Running');
    expect(await daemon.must('exec', 's1', '--', 'cat', '/root/file')).toBe('old\n');
    expect(await daemon.must('config', 'get', 's1', 'user.note')).toBe('old\n');
    await daemon.must('delete', 's1/before');
    expect((await daemon.request('GET', '/1.0/instances/s1/snapshots')).json?.metadata).toEqual([]);
    await daemon.must('delete', 's1', '--force');
  });

  test('a copy of a container has its files and an address of its own', async () => {
    await daemon.must('launch', 'tiny', 'a');
    await daemon.must('exec', 'a', '--', 'touch', '/root/copied');
    await daemon.must('snapshot', 'a', 'snap');
    await daemon.must('copy', 'a', 'b');
    await daemon.must('start', 'b');
    expect(await daemon.must('exec', 'b', '--', 'ls', '/root')).toBe('copied\n');
    expect(await daemon.must('exec', 'b', '--', 'hostname')).toBe('b\n');
    expect((await daemon.request('GET', '/1.0/instances/b/snapshots')).json?.metadata).toHaveLength(1);
    await daemon.must('delete', 'a', 'b', '--force');
  });

  test('deleting a container that is gone is told, and a name is free at once', async () => {
    expect((await daemon.request('DELETE', '/1.0/instances/a')).status).toBe(404);
    await daemon.must('init', 'tiny', 'a');
    await daemon.must('delete', 'a');
    await daemon.must('init', 'tiny', 'a');
    await daemon.must('delete', 'a');
  });
});
