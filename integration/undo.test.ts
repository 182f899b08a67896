import { beforeAll, describe, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });

beforeAll(async () => {
  await daemon.must('storage', 'create', 'plain', 'dir');
});

async function snapshotsOf(url: string): Promise<readonly { name: string; expires_at: string }[]> {
  return (await daemon.request('GET', `/1.0/${url}/snapshots?recursion=1`)).json?.metadata as [];
}

async function namesOf(url: string): Promise<readonly string[]> {
  return (await snapshotsOf(url)).map(({ name }) => name);
}

async function write(name: string, text: string): Promise<void> {
  await daemon.must('exec', name, '--', 'sh', '-c', `echo ${text} > /root/note`);
}

interface TrashItem {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly snapshots: readonly string[];
  readonly expires_at: string;
}

async function trash(query = ''): Promise<readonly TrashItem[]> {
  return (await daemon.request('GET', `/1.0/trash?recursion=1${query}`)).json?.metadata as [];
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
    await daemon.must('delete', 'c1', '--force', '--no-trash');
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
    await daemon.must('delete', 'c1', '--no-trash');
  });

  test('of a volume is kept likewise', async () => {
    await daemon.must('storage', 'volume', 'create', 'default', 'data');
    await daemon.must('storage', 'volume', 'snapshot', 'default', 'data', 'one');
    const url = 'storage-pools/default/volumes/custom/data';
    await daemon.mustLxc('storage', 'volume', 'restore', 'default', 'data', 'one');
    expect(await namesOf(url)).toEqual(['data/one']);
    await daemon.must('storage', 'volume', 'restore', 'default', 'data', 'one');
    expect(await namesOf(url)).toEqual(['data/one', 'data/before-restore0']);
    await daemon.must('storage', 'volume', 'delete', 'default', 'data', '--no-trash');
  });

  test('a client cannot pass config of its own into a snapshot', async () => {
    await daemon.must('storage', 'volume', 'create', 'default', 'data');
    const url = '/1.0/storage-pools/default/volumes/custom/data/snapshots';
    await daemon.operate('POST', url, { name: 'one', config: { 'volatile.rename.to': 'x' } });
    expect((await daemon.request('GET', `${url}/one`)).json?.metadata.config).toEqual({});
    await daemon.must('storage', 'volume', 'delete', 'default', 'data', '--no-trash');
  });
});

describe.each([
  ['btrfs', 'default'],
  ['dir', 'plain'],
])('a deleted instance on %s', (_, pool) => {
  test('comes back from the trash with its snapshots, its config and its addresses', async () => {
    await daemon.must('launch', 'tiny', 'pet', '-s', pool, '-c', 'user.note=mine');
    await write('pet', 'early');
    await daemon.must('snapshot', 'pet', 'one');
    await write('pet', 'late');
    await daemon.must('storage', 'volume', 'set', pool, 'container/pet', 'user.volume', 'kept');
    await daemon.must('stop', 'pet', '--force');
    const before = (await daemon.request('GET', '/1.0/instances/pet')).json?.metadata;
    await daemon.must('delete', 'pet');
    expect((await daemon.request('GET', '/1.0/instances/pet')).status).toBe(404);
    expect(await daemon.must('storage', 'volume', 'list', pool, 'type=container', '-f', 'csv')).toBe('');
    const [item] = await trash();
    expect(item).toMatchObject({ type: 'instance', name: 'pet', snapshots: ['one'], deleted_by: 'root' });
    // the name is free again
    await daemon.must('init', 'tiny', 'pet', '-s', pool);
    expect((await daemon.cli(['trash', 'restore', 'pet'])).stderr).toContain(
      'Cannot restore instance "pet" from the trash: Instance "pet" already exists; give another name',
    );
    await daemon.must('delete', 'pet', '--no-trash');
    await daemon.must('trash', 'restore', 'pet');
    expect(await trash()).toEqual([]);
    expect((await daemon.request('GET', '/1.0/instances/pet')).json?.metadata).toEqual(before);
    expect(await daemon.must('storage', 'volume', 'get', pool, 'container/pet', 'user.volume')).toBe('kept\n');
    await daemon.must('start', 'pet');
    expect(await read('pet')).toBe('late');
    await daemon.must('restore', 'pet', 'one', '--no-snapshot');
    expect(await read('pet')).toBe('early');
    await daemon.must('delete', 'pet', '--force');
    await daemon.must('trash', 'restore', 'pet', 'second');
    await daemon.must('start', 'second');
    expect(await read('second')).toBe('early');
    await daemon.must('delete', 'second', '--force', '--no-trash');
    expect(await trash()).toEqual([]);
  });
});

describe('the trash', () => {
  test('keeps its pool from being deleted until the trash is emptied', async () => {
    await daemon.must('init', 'tiny', 'pet', '-s', 'plain');
    await daemon.must('delete', 'pet');
    const refused = await daemon.lxc(['storage', 'delete', 'plain']);
    expect(refused.stderr).toContain('empty it first: "lxd-like trash empty --all-projects --pool plain"');
    await daemon.must('trash', 'empty', '--all-projects', '--pool', 'plain');
    await daemon.mustLxc('storage', 'delete', 'plain');
  });

  test('takes what the stock client deletes only when the server says so, and ephemeral instances never', async () => {
    for (const rule of ['asked', 'always']) {
      await daemon.mustLxc('config', 'set', 'undo.trash', rule);
      await daemon.must('init', 'tiny', 'c1');
      await daemon.mustLxc('delete', 'c1');
      await daemon.must('storage', 'volume', 'create', 'default', 'data');
      await daemon.mustLxc('storage', 'volume', 'delete', 'default', 'data');
      expect((await trash()).map(({ name }) => name)).toEqual(rule === 'always' ? ['c1', 'data'] : []);
    }
    await daemon.must('launch', 'tiny', 'short', '--ephemeral');
    await daemon.must('delete', 'short', '--force');
    await daemon.mustLxc('config', 'set', 'undo.trash', 'never');
    await daemon.must('init', 'tiny', 'c2');
    await daemon.must('delete', 'c2');
    await daemon.mustLxc('config', 'unset', 'undo.trash');
    expect((await trash()).map(({ name }) => name)).toEqual(['c1', 'data']);
    await daemon.must('trash', 'delete', 'c1');
    await daemon.must('trash', 'empty');
    expect(await trash()).toEqual([]);
  });

  test('gives volumes back with their content, snapshots and config', async () => {
    await daemon.must('launch', 'tiny', 'c1');
    await daemon.must('storage', 'volume', 'create', 'default', 'data', 'size=100MiB');
    await daemon.must('storage', 'volume', 'attach', 'default', 'data', 'c1', 'data', '/data');
    await daemon.must('exec', 'c1', '--', 'sh', '-c', 'echo mine > /data/file');
    await daemon.must('storage', 'volume', 'snapshot', 'default', 'data', 'one');
    await daemon.must('storage', 'volume', 'detach', 'default', 'data', 'c1', 'data');
    await daemon.must('storage', 'volume', 'delete', 'default', 'data');
    const row = (await daemon.must('trash', 'list', '-f', 'csv')).split(',');
    expect(row.slice(1, 5)).toEqual(['VOLUME', 'data', 'default', '1']);
    await daemon.must('trash', 'restore', row[0] ?? '', 'again');
    expect(await daemon.must('storage', 'volume', 'get', 'default', 'again', 'size')).toBe('100MiB\n');
    expect(await namesOf('storage-pools/default/volumes/custom/again')).toEqual(['again/one']);
    await daemon.must('storage', 'volume', 'attach', 'default', 'again', 'c1', 'data', '/data');
    expect(await daemon.must('exec', 'c1', '--', 'cat', '/data/file')).toBe('mine\n');
    await daemon.must('delete', 'c1', '--force', '--no-trash');
    await daemon.must('storage', 'volume', 'delete', 'default', 'again', '--no-trash');
  });

  test('shows and gives each project its own, and keeps it from being deleted', async () => {
    await daemon.must('project', 'create', 'lab', '-c', 'features.images=false', '-c', 'limits.instances=1');
    const inLab = (...args: readonly string[]): Promise<string> => daemon.must(...args, '--project', 'lab');
    await inLab('profile', 'device', 'add', 'default', 'root', 'disk', 'path=/', 'pool=default');
    await inLab('init', 'tiny', 'c1');
    await inLab('delete', 'c1');
    expect(await trash()).toEqual([]);
    expect(await trash('&all-projects=true')).toHaveLength(1);
    const id = (await trash('&project=lab'))[0]?.id ?? '';
    expect((await daemon.request('GET', `/1.0/trash/${id}`)).status).toBe(404);
    // what is in the trash counts for no limit, what comes back does
    await inLab('init', 'tiny', 'c2');
    expect((await daemon.cli(['trash', 'restore', 'c1', '--project', 'lab'])).stderr).toContain(
      'Reached maximum number of instances',
    );
    await inLab('delete', 'c2', '--no-trash');
    expect((await daemon.lxc(['project', 'delete', 'lab'])).stderr).toContain('"lxd-like trash empty --project lab"');
    expect(await inLab('trash', 'restore', 'c1', '--plan')).toContain('create  instance "c1"');
    await inLab('trash', 'restore', 'c1');
    await inLab('delete', 'c1');
    await inLab('trash', 'empty');
    await daemon.must('project', 'delete', 'lab');
  });

  test('is passed over by recover, which says so', async () => {
    await daemon.must('init', 'tiny', 'c1');
    await daemon.must('delete', 'c1');
    const pools = { Pools: [{ name: 'default', driver: 'btrfs', config: {} }] };
    const found = (await daemon.request('POST', '/internal/recover/validate', pools)).json?.metadata;
    expect(found.UnknownVolumes).toBe(null);
    expect(found.SkippedVolumes).toMatchObject([{ reason: 'it is in the trash: see "lxd-like trash list"' }]);
    await daemon.must('trash', 'empty');
  });
});

describe('undo', () => {
  test('turns back what was done last to an instance, says what it does, and can be undone', async () => {
    await daemon.must('launch', 'tiny', 'c1');
    await write('c1', 'early');
    await daemon.must('snapshot', 'c1', 'one');
    await write('c1', 'late');
    await daemon.mustLxc('config', 'set', 'c1', 'user.note', 'mine');
    await daemon.must('restore', 'c1', 'one');
    expect(await daemon.must('undo', 'c1', '--plan')).toMatch(
      /^Would undo the restore of instance "c1" by root at .*\nstop +instance "c1"\nchange +instance "c1" .*\nstart +instance "c1"\n$/,
    );
    expect(await read('c1')).toBe('early');
    await daemon.must('undo', 'c1');
    expect([await read('c1'), await daemon.must('config', 'get', 'c1', 'user.note')]).toEqual(['late', 'mine\n']);
    await daemon.mustLxc('config', 'device', 'add', 'c1', 'tmp', 'disk', 'source=/tmp', 'path=/mnt');
    await daemon.must('exec', 'c1', '--', 'grep', '-q', ' /mnt ', '/proc/mounts');
    const history = (await daemon.must('history', 'c1', '-f', 'csv')).trim().split('\n');
    expect(history.map(line => line.split(',').slice(1).join(','))).toEqual([
      'root,configured,device tmp',
      'root,restored,user.note',
      'root,restored,user.note',
      'root,configured,user.note',
    ]);
    expect(await daemon.must('undo')).toContain('delete  device "tmp"  (unplugged now)');
    expect((await daemon.cli(['exec', 'c1', '--', 'grep', '-q', ' /mnt ', '/proc/mounts'])).status).toBe(1);
    await daemon.must('undo', 'c1');
    await daemon.must('exec', 'c1', '--', 'grep', '-q', ' /mnt ', '/proc/mounts');
    await daemon.must('delete', 'c1', '--force');
    expect(await daemon.must('undo', 'c1')).toContain('Undoing the deletion of instance "c1" by root');
    await daemon.must('start', 'c1');
    expect(await read('c1')).toBe('late');
    expect((await daemon.cli(['undo'])).stderr).toContain('Cannot undo the return of instance "c1" from the trash');
    await daemon.must('delete', 'c1', '--force', '--no-trash');
    expect((await daemon.cli(['undo', 'c1'])).stderr).toContain('nothing of that name in the trash');
  });

  test('does not turn back something else than was looked at', async () => {
    await daemon.must('init', 'tiny', 'c1');
    await daemon.must('config', 'set', 'c1', 'user.a', '1');
    const plan = (await daemon.request('POST', '/1.0/undo?plan=1', {})).json?.metadata as
      { change: string } | undefined;
    await daemon.must('config', 'set', 'c1', 'user.a', '2');
    const refused = await daemon.operate('POST', '/1.0/undo', { change: plan?.change });
    expect([refused.status, refused.json?.error]).toEqual([412, expect.stringContaining('Something else was changed')]);
    expect(await daemon.must('config', 'get', 'c1', 'user.a')).toBe('2\n');
    await daemon.must('delete', 'c1', '--no-trash');
  });
});
