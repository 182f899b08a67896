import { expect, test } from 'vitest';
import type { SnapshotEntry } from '#protocol/messages.ts';
import { compareSnapshots } from './compare-snapshots.ts';

test('a refresh wants what is new or made anew, and lets go what the source has no more', () => {
  const entry = (name: string, createdAt: number): SnapshotEntry => ({
    name,
    createdAt,
    config: {},
    profiles: [],
    ephemeral: false,
    devices: {},
    architecture: 2,
    stateful: false,
    lastUsedAt: 0,
    expiresAt: 0,
  });
  const { wanted, gone } = compareSnapshots(
    [entry('same', 1), entry('anew', 3), entry('new', 4)],
    [
      { name: 'same', createdAt: 1 },
      { name: 'anew', createdAt: 2 },
      { name: 'old', createdAt: 0 },
    ],
  );
  expect([wanted.map(one => one.name), gone]).toEqual([['anew', 'new'], ['old']]);
});
