import { describe, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });

async function snapshotsOf(url: string): Promise<readonly { name: string; expires_at: string }[]> {
  return (await daemon.request('GET', `/1.0/${url}/snapshots?recursion=1`)).json?.metadata as [];
}

async function namesOf(url: string): Promise<readonly string[]> {
  return (await snapshotsOf(url)).map(({ name }) => name);
}

async function write(name: string, text: string): Promise<void> {
  await daemon.must('exec', name, '--', 'sh', '-c', `echo ${text} > /root/note`);
}

async function read(name: string): Promise<string> {
  return (await daemon.must('exec', name, '--', 'cat', '/root/note')).trim();
}

describe('what a restore replaces', () => {
  test('is kept for ours, for one restore, and comes back with its config', async () => {
    await daemon.must('launch', 'tiny', 'c1');
    await write('c1', 'early');
    await daemon.must('snapshot', 'c1', 'one');
    await write('c1', 'late');
    await daemon.must('config', 'set', 'c1', 'user.note', 'late');
    await daemon.must('restore', 'c1', 'one');
    expect(await read('c1')).toBe('early');
    const [, safety] = await snapshotsOf('instances/c1');
    expect(safety?.name).toBe('before-restore0');
    const days = (Date.parse(safety?.expires_at ?? '') - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(7);
    await daemon.must('restore', 'c1', 'before-restore0');
    expect(await read('c1')).toBe('late');
    expect((await daemon.must('config', 'get', 'c1', 'user.note')).trim()).toBe('late');
    expect(await namesOf('instances/c1')).toEqual(['one', 'before-restore1']);
    await daemon.must('restore', 'c1', 'one', '--no-snapshot');
    expect(await namesOf('instances/c1')).toEqual(['one', 'before-restore1']);
    await daemon.must('delete', 'c1', '--force');
  });

  test('is kept for the stock client only when the server says so', async () => {
    await daemon.must('init', 'tiny', 'c1');
    await daemon.mustLxc('snapshot', 'c1', 'one');
    await daemon.mustLxc('restore', 'c1', 'one');
    expect(await namesOf('instances/c1')).toEqual(['one']);
    await daemon.mustLxc('config', 'set', 'undo.snapshots', 'always');
    await daemon.mustLxc('restore', 'c1', 'one');
    expect(await namesOf('instances/c1')).toEqual(['one', 'before-restore0']);
    await daemon.mustLxc('config', 'unset', 'undo.snapshots');
    await daemon.must('delete', 'c1');
  });

  test('of a volume is kept likewise', async () => {
    await daemon.must('storage', 'volume', 'create', 'default', 'data');
    await daemon.must('storage', 'volume', 'snapshot', 'default', 'data', 'one');
    const url = 'storage-pools/default/volumes/custom/data';
    await daemon.mustLxc('storage', 'volume', 'restore', 'default', 'data', 'one');
    expect(await namesOf(url)).toEqual(['data/one']);
    await daemon.must('storage', 'volume', 'restore', 'default', 'data', 'one');
    expect(await namesOf(url)).toEqual(['data/one', 'data/before-restore0']);
    await daemon.must('storage', 'volume', 'delete', 'default', 'data');
  });

  test('a client cannot pass config of its own into a snapshot', async () => {
    await daemon.must('storage', 'volume', 'create', 'default', 'data');
    const url = '/1.0/storage-pools/default/volumes/custom/data/snapshots';
    await daemon.operate('POST', url, { name: 'one', config: { 'volatile.rename.to': 'x' } });
    expect((await daemon.request('GET', `${url}/one`)).json?.metadata.config).toEqual({});
    await daemon.must('storage', 'volume', 'delete', 'default', 'data');
  });
});
