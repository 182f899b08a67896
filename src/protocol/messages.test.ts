import { describe, expect, test } from 'vitest';
import { decodeControl, decodeHeader, encodeControl, encodeHeader, type MigrationHeader } from './messages.ts';
import { WireWriter } from './wire.ts';

const header: MigrationHeader = {
  type: 'btrfs',
  state: 'none',
  idmap: [{ isUid: true, isGid: false, hostId: 1_000_000, containerId: 0, size: 65_536 }],
  snapshotNames: ['s0'],
  snapshots: [
    {
      name: 's0',
      config: { 'user.a': 'ä', 'user.empty': '' },
      profiles: ['default'],
      ephemeral: false,
      devices: { root: { type: 'disk', path: '/' } },
      architecture: 2,
      stateful: false,
      createdAt: 1_764_000_000,
      lastUsedAt: 0,
      expiresAt: -62_135_596_800,
    },
  ],
  predump: false,
  rsync: { xattrs: true, delete: true, compress: false, bidirectional: true, links: true },
  btrfs: { migrationHeader: true, subvolumes: true, subvolumeUuids: false },
  refresh: true,
  zfs: { compress: true, migrationHeader: true, anyShape: false },
  volumeSize: undefined,
  indexVersion: 1,
};

describe('a migration header', () => {
  test('comes back as it was', () => {
    expect(decodeHeader(encodeHeader(header))).toEqual(header);
  });

  test('is read by the field numbers of the schema', () => {
    // fs = 0, predump, rsyncFeatures {all four}, indexHeaderVersion
    const bytes = Buffer.from('08003800420808011001180120016801', 'hex');
    expect(decodeHeader(bytes)).toMatchObject({
      type: 'rsync',
      state: undefined,
      predump: false,
      rsync: { xattrs: true, delete: true, compress: true, bidirectional: true, links: false },
      indexVersion: 1,
    });
  });

  test('passes over fields that are not known', () => {
    const newer = new WireWriter().integer(1, 0).text(14, 'new').integer(2000, 7).integer(13, 1).finish();
    expect(decodeHeader(newer)).toMatchObject({ type: 'rsync', indexVersion: 1 });
  });

  test.each([
    ['is empty', ''],
    ['is cut off in a number', '08'],
    ['is cut off in a text', '0801220a61'],
    ['claims a text of 4 GiB', '080122ffffffff0f'],
    ['has an endless number', '08ffffffffffffffffffffff01'],
    ['has a field of no number', '0001'],
    ['has groups', '0b0c'],
    ['has text for a number', '0a0161'],
    ['has a number for text', '08012001'],
    ['has broken UTF-8', '08012201ff'],
    ['names a way that is not known', '0863'],
  ])('is refused when it %s', (_how, hex) => {
    expect(() => decodeHeader(Buffer.from(hex, 'hex'))).toThrow(/other server/);
  });

  test('never throws anything but a refusal, whatever bytes come', () => {
    const good = encodeHeader(header);
    for (let at = 0; at < good.length; at += 1) {
      for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
        const bad = Buffer.from(good);
        bad[at] = byte;
        try {
          decodeHeader(bad);
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^(invalid-argument|unsupported)$/);
        }
      }
    }
  });
});

test('a verdict comes back as it was, and nothing is no verdict', () => {
  expect(decodeControl(encodeControl({ success: false, message: 'no space' }))).toEqual({
    success: false,
    message: 'no space',
  });
  expect(() => decodeControl(Buffer.alloc(0))).toThrow('no verdict');
});
