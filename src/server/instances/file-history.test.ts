import { expect, test } from 'vitest';
import type { FileEntry } from '../runtime/runtime.ts';
import { FileHistory } from './file-history.ts';

const file: FileEntry = { kind: 'file', mode: 0o644, uid: 0, gid: 0, size: 4, modified: 0, identity: 'a' };

/** History of states of [snapshot, entry, content], and the snapshots whose content was read. */
async function historyOf(
  ...states: readonly (readonly [string | undefined, FileEntry | undefined, string])[]
): Promise<{ rows: readonly string[]; read: readonly (string | undefined)[] }> {
  const history = new FileHistory();
  const read = new Set<string | undefined>();
  for (const [snapshot, entry, content] of states)
    await history.add({ snapshot, entry, digest: async () => (read.add(snapshot), content) });
  const rows = history.versions.map(({ snapshots, current, type, changed }) =>
    [type, ...snapshots, ...(current ? ['now'] : []), `(${changed.join(' ')})`].join(' '),
  );
  return { rows, read: [...read] };
}

test('a file that nothing touched is one version, and is not read', async () => {
  const states = ['a', 'b', 'c', undefined].map(name => [name, file, 'same'] as const);
  expect(await historyOf(...states)).toEqual({ rows: ['file a b c now ()'], read: [] });
});

test('a copy of the same content is the same version', async () => {
  const copied = { ...file, identity: 'b', modified: 9 };
  expect((await historyOf(['a', file, 'same'], [undefined, copied, 'same'])).rows).toEqual(['file a now ()']);
});

test('size, content, mode and owner tell versions apart; what came back is the version it was', async () => {
  const { rows } = await historyOf(
    ['a', file, 'one'],
    ['b', { ...file, identity: 'b' }, 'two'],
    ['c', { ...file, identity: 'c', size: 5 }, 'three'],
    ['d', { ...file, identity: 'd', size: 5, mode: 0o600, uid: 7 }, 'three'],
    [undefined, { ...file, identity: 'e' }, 'one'],
  );
  expect(rows).toEqual(['file a now ()', 'file b (content)', 'file c (content)', 'file d (mode owner)']);
});

test('times when there was none, or something else, are told', async () => {
  const link: FileEntry = { ...file, kind: 'symlink', identity: 'l' };
  const { rows } = await historyOf(
    ['a', undefined, ''],
    ['b', file, 'one'],
    ['c', link, 'target'],
    ['d', { ...link, identity: 'm' }, 'other target'],
    [undefined, undefined, ''],
  );
  expect(rows).toEqual(['absent a now ()', 'file b (type)', 'symlink c (type)', 'symlink d (content)']);
});

test('a path that never was is told as such', async () => {
  const history = new FileHistory();
  await history.add({ snapshot: undefined, entry: undefined, digest: async () => '' });
  expect(history.isEmpty).toBe(true);
});
