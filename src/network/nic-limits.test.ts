import { expect, test } from 'vitest';
import { parseBitRate } from './nic-limits.ts';

test.each([
  ['10Mbit', 10_000_000],
  ['1Gbit', 1_000_000_000],
  ['64kbit', 64_000],
  ['1Mibit', 1_048_576],
  ['5000', 5000],
  ['5000bit', 5000],
])('%s is %d bits a second', (text, bits) => {
  expect(parseBitRate(text)).toBe(bits);
});

test.each(['', '0', '-1Mbit', '10MB', '10mbit', 'fast', '1.5Mbit', '1 Mbit', '9999999999Ebit'])(
  '"%s" is no rate',
  text => {
    expect(parseBitRate(text)).toBeUndefined();
  },
);
