import { describe, expect, test } from 'vitest';
import { agree, agreed, offerOf } from './negotiate.ts';

const btrfs = { streams: 'btrfs', compress: true } as const;
const zfs = { streams: 'zfs', compress: true } as const;
const dir = { streams: undefined, compress: true };
const shifted = [{ isUid: true, isGid: true, hostId: 100_000, containerId: 0, size: 65_536 }];

describe('both sides', () => {
  test.each([
    ['btrfs to btrfs', btrfs, btrfs, 'btrfs'],
    ['btrfs to dir', btrfs, dir, 'rsync'],
    ['dir to btrfs', dir, btrfs, 'rsync'],
    ['zfs to zfs', zfs, zfs, 'zfs'],
    ['zfs to btrfs', zfs, btrfs, 'rsync'],
    ['zfs to zfs, in a shape of its own,', { ...zfs, common: false }, zfs, 'zfs'],
    ['zfs to dir, in a shape of its own,', { ...zfs, common: false }, dir, 'rsync'],
  ] as const)('agree from %s', (_what, source, target, type) => {
    const answer = agree({ ...offerOf(source), idmap: [] }, target, false);
    expect(answer.type).toBe(type);
    expect(agreed(answer, source)).toEqual(answer);
  });

  test('compress only when neither side minds', () => {
    expect(agree({ ...offerOf({ ...dir, compress: false }), idmap: [] }, dir, false).rsync.compress).toBe(false);
    expect(agree({ ...offerOf(dir), idmap: [] }, { ...dir, compress: false }, false).rsync.compress).toBe(false);
  });

  test('use rsync for trees whose ids are shifted on disk', () => {
    expect(agree({ ...offerOf(btrfs), idmap: shifted }, btrfs, false).type).toBe('rsync');
  });

  test('refresh by streams only when these tell what they are', () => {
    const old = {
      type: 'btrfs',
      idmap: [],
      btrfs: { migrationHeader: true, subvolumes: true, subvolumeUuids: false },
    } as const;
    expect([agree(old, btrfs, false).type, agree(old, btrfs, true).type]).toEqual(['btrfs', 'rsync']);
  });

  test('offer LXD no streams that it could not take', () => {
    const { type, zfs: features } = offerOf({ ...zfs, common: false });
    const lxd = { type, zfs: features && { ...features, anyShape: false }, idmap: [] };
    expect([type, agree(lxd, zfs, false).type]).toEqual(['rsync', 'rsync']);
    expect(agree({ ...lxd, type: 'zfs' }, zfs, true).type).toBe('zfs');
  });

  test('take an old server for what it could do', () => {
    expect(agree({ type: 'rsync', idmap: [] }, dir, false).rsync).toEqual({
      xattrs: true,
      delete: true,
      compress: true,
      bidirectional: false,
      links: false,
    });
  });

  test('do not take what was not offered', () => {
    expect(agreed({ type: 'zfs' }, btrfs)).toBe(undefined);
    expect(agreed({ type: 'btrfs' }, dir)).toBe(undefined);
  });
});
