import { describe, expect, test } from 'vitest';
import { ApiError } from '#api/error.ts';
import type { ConfigMap } from '#api/common.ts';
import { silentLog } from '#base/log.ts';
import { restoreSafely, type SnapshotsOf } from './safety-snapshots.ts';

const keptUntil = '2030-01-01T00:00:00.000Z';

class SnapshotsInMemory implements SnapshotsOf {
  readonly rows: { name: string; config: ConfigMap; expires_at?: string }[] = [{ name: 'snap0', config: {} }];
  forbidden = false;
  list = async () => [...this.rows];
  create = async (request: { readonly name: string; readonly config: ConfigMap }) => {
    if (this.forbidden) throw new ApiError('permission-denied', 'no snapshots');
    this.rows.push(request);
    return request.name;
  };
  delete = async (name: string) =>
    void this.rows.splice(
      this.rows.findIndex(row => row.name === name),
      1,
    );
  get names(): readonly string[] {
    return this.rows.map(({ name }) => name);
  }
}

describe('before a restore', () => {
  test('a snapshot is taken that the next one replaces, after the restore that may need it', async () => {
    const snapshots = new SnapshotsInMemory();
    const during: (readonly string[])[] = [];
    const restore = async () => void during.push(snapshots.names);
    await restoreSafely(snapshots, { keptUntil, log: silentLog }, restore);
    expect(snapshots.names).toEqual(['snap0', 'before-restore0']);
    expect(snapshots.rows[1]?.expires_at).toBe(keptUntil);
    await restoreSafely(snapshots, { keptUntil, log: silentLog }, restore);
    expect(snapshots.names).toEqual(['snap0', 'before-restore1']);
    expect(during).toEqual([
      ['snap0', 'before-restore0'],
      ['snap0', 'before-restore0', 'before-restore1'],
    ]);
  });

  test('that of a user by such a name stays', async () => {
    const snapshots = new SnapshotsInMemory();
    snapshots.rows.push({ name: 'before-restore7', config: {} });
    await restoreSafely(snapshots, { keptUntil, log: silentLog }, async () => undefined);
    expect(snapshots.names).toEqual(['snap0', 'before-restore7', 'before-restore8']);
  });

  test('none is taken unless asked for, or where the project forbids it', async () => {
    const snapshots = new SnapshotsInMemory();
    const taken: unknown[] = [];
    const restore = async (safety: string | undefined) => void taken.push(safety);
    await restoreSafely(snapshots, { keptUntil: undefined, log: silentLog }, restore);
    snapshots.forbidden = true;
    await restoreSafely(snapshots, { keptUntil, log: silentLog }, restore);
    expect(taken).toEqual([undefined, undefined]);
    expect(snapshots.names).toEqual(['snap0']);
  });

  test('one that fails keeps the restore from happening', async () => {
    const snapshots = new SnapshotsInMemory();
    snapshots.create = () => Promise.reject(new Error('no space'));
    let restored = false;
    const restore = async () => void (restored = true);
    await expect(restoreSafely(snapshots, { keptUntil, log: silentLog }, restore)).rejects.toThrow('no space');
    expect(restored).toBe(false);
  });
});
