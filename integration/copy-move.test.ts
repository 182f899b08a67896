import { describe, expect, test } from 'vitest';
import { storageDrivers, useDaemon } from './harness/fixture.ts';

describe.each(storageDrivers)('copy and move on %s', driver => {
  const daemon = useDaemon({ storage: driver });

  const sh = (instance: string, script: string): Promise<string> =>
    daemon.must('exec', instance, '--', 'sh', '-c', script);

  const lxc = daemon.mustLxc.bind(daemon);

  async function names(instance: string): Promise<readonly string[]> {
    const { json } = await daemon.request('GET', `/1.0/instances/${instance}/snapshots?recursion=1`);
    return ((json?.metadata ?? []) as readonly { name: string }[]).map(({ name }) => name);
  }

  const poolOf = (instance: string): Promise<string> =>
    daemon.must('config', 'device', 'get', instance, 'root', 'pool').then(text => text.trim());

  test("a running instance is copied, with snapshots, config and devices of one's own", async () => {
    await daemon.must('storage', 'create', 'other', 'dir');
    await daemon.must('launch', 'tiny', 'c1', '-c', 'user.note=first');
    await sh('c1', 'echo one > /root/file');
    await daemon.must('snapshot', 'c1', 'snap0');
    await sh('c1', 'echo two > /root/file');
    await daemon.must('copy', 'c1', 'c2', '-c', 'user.note=second', '-d', 'root,boot.priority=3');
    expect(await daemon.must('config', 'get', 'c2', 'user.note')).toBe('second\n');
    expect(await daemon.must('config', 'device', 'get', 'c2', 'root', 'boot.priority')).toBe('3\n');
    await lxc('copy', 'c1', 'c3', '--storage', 'other', '--ephemeral', '--allow-inconsistent');
    await lxc('copy', 'c1/snap0', 'c4', '--storage', 'other');
    await daemon.must('copy', 'c1', 'c5', '--instance-only');
    expect([await names('c3'), await names('c4'), await names('c5')]).toEqual([['snap0'], [], []]);
    expect(await poolOf('c3')).toBe('other');
    expect((await daemon.request('GET', '/1.0/instances/c3')).json?.metadata.ephemeral).toBe(true);
    await daemon.must('start', 'c4', 'c5');
    expect([await sh('c4', 'cat /root/file'), await sh('c5', 'cat /root/file')]).toEqual(['one\n', 'two\n']);
    await daemon.must('delete', 'c2', 'c4', 'c5', '--force');
    expect((await daemon.lxc(['copy', 'c1', 'c3'])).stderr).toContain('already exists');
  });

  test('a copy is refreshed: snapshots come and go, files are replaced, config stays', async () => {
    await daemon.must('copy', 'c1', 'twin', '-c', 'user.note=mine');
    await daemon.must('snapshot', 'twin', 'only-here');
    await sh('c1', 'echo three > /root/file; echo new > /root/new');
    await daemon.must('snapshot', 'c1', 'snap1');
    for (const copy of ['twin', 'c3']) {
      // The stock client brings the config in line, too; ours leaves it.
      if (copy === 'c3') await lxc('copy', 'c1', copy, '--refresh', '--storage', 'other');
      else await daemon.must('copy', 'c1', copy, '--refresh');
      expect(await names(copy)).toEqual(['snap0', 'snap1']);
    }
    expect(await daemon.must('config', 'get', 'twin', 'user.note')).toBe('mine\n');
    await daemon.must('restore', 'twin', 'snap1');
    await daemon.must('restore', 'c3', 'snap1');
    await daemon.must('start', 'twin');
    expect(await sh('twin', 'cat /root/file /root/new')).toBe('three\nnew\n');
    const refused = await daemon.lxc(['copy', 'c1', 'twin', '--refresh']);
    expect(refused.stderr).toContain('Cannot refresh instance "twin": it is running; stop it first');
    await daemon.must('copy', 'c1', 'fresh', '--refresh');
    expect(await names('fresh')).toEqual(['snap0', 'snap1']);
    await daemon.must('delete', 'fresh', 'twin', 'c3', '--force');
  });

  test('an instance is moved to another pool and back, under other names', async () => {
    expect((await daemon.lxc(['move', 'c1', '--storage', 'other'])).stderr).toContain('it is running; stop it first');
    await daemon.must('stop', 'c1', '--force');
    await lxc('move', 'c1', '--storage', 'other');
    expect([await poolOf('c1'), await names('c1')]).toEqual(['other', ['snap0', 'snap1']]);
    await daemon.must('restore', 'c1', 'snap0', '--no-snapshot');
    await daemon.must('start', 'c1');
    expect(await sh('c1', 'cat /root/file')).toBe('one\n');
    await daemon.must('stop', 'c1', '--force');
    await daemon.must('move', 'c1', 'moved', '--storage', 'default');
    const list = await daemon.must('storage', 'volume', 'list', 'other', '-f', 'csv');
    expect(list).toBe('');
    await lxc('move', 'moved', 'c1');
    await lxc('move', 'c1/snap0', 'c1/first');
    expect((await daemon.lxc(['move', 'c1/first', 'c2/first'])).status).toBe(1);
    expect(await names('c1')).toEqual(['first', 'snap1']);
    const same = await daemon.operate('POST', '/1.0/instances/c1', { name: 'c1', migration: true, pool: 'default' });
    expect(same.json?.metadata.err).toContain('already');
    const gone = await daemon.operate('POST', '/1.0/instances/c1', { name: 'c1', migration: true, pool: 'nope' });
    expect(gone.json?.metadata.err).toContain('"nope" not found');
    await daemon.must('delete', 'c1');
    await daemon.must('trash', 'empty', '--all-projects');
    await daemon.must('storage', 'delete', 'other');
  });
});
