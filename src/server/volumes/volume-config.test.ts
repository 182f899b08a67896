import { expect, test } from 'vitest';
import { changesSettings, checkedConfig, portableConfig, withPoolDefaults } from './volume-config.ts';

const asked = { 'zfs.blocksize': '16KiB', size: '1GiB', 'user.note': 'mine' };

test("a volume has the keys of its pool's driver, and no others", () => {
  expect(checkedConfig('data', asked, {}, 'zfs')).toEqual(asked);
  expect(() => checkedConfig('data', asked, {}, 'btrfs')).toThrow('config key "zfs.blocksize" is not a known key');
  expect(() => checkedConfig('data', { 'zfs.blocksize': '1000' }, {}, 'zfs')).toThrow('must be a power of two');
});

test('what comes from a volume elsewhere leaves the keys of other drivers behind, and no more', () => {
  expect(portableConfig(asked, 'zfs')).toEqual(asked);
  expect(portableConfig(asked, 'btrfs')).toEqual({ size: '1GiB', 'user.note': 'mine' });
  expect(portableConfig({ 'zfs.nonsense': 'x' }, 'btrfs')).toEqual({ 'zfs.nonsense': 'x' });
});

test("the pool's defaults are stored with a new volume, and a driver is told of changes of its own keys only", () => {
  const config = withPoolDefaults({ size: '1GiB' }, { 'volume.zfs.use_refquota': 'true', size: '5GiB' });
  expect(checkedConfig('data', config, {}, 'zfs')).toEqual({ size: '1GiB', 'zfs.use_refquota': 'true' });
  expect(changesSettings('zfs', config, { ...config, size: '2GiB' })).toBe(false);
  expect(changesSettings('zfs', config, { size: '1GiB' })).toBe(true);
});
