import { expect, test } from 'vitest';
import { formatSize, parseSize } from './units.ts';

test.each([
  ['0', 0],
  ['4096', 4096],
  ['1kB', 1000],
  ['512MB', 512e6],
  ['1KiB', 1024],
  ['10GiB', 10 * 2 ** 30],
  ['8191TiB', 8191 * 2 ** 40],
])('parseSize(%s) is %d bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', '-1', '1.5GiB', 'GiB', '1 GiB', '10XB', '1e9', '8EiB', '99999999999999999', '1GiB\n'])(
  'parseSize(%j) is refused',
  text => {
    expect(parseSize(text)).toBeUndefined();
  },
);

test('formatSize() prints binary units with two decimals', () => {
  expect([0, 1023, 1024, 1.5 * 2 ** 30, 2 ** 60].map(bytes => formatSize(bytes))).toEqual([
    '0B',
    '1023B',
    '1.00KiB',
    '1.50GiB',
    '1.00EiB',
  ]);
});
