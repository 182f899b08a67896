import { expect, test } from 'vitest';
import { parseOsRelease } from './os-release.ts';

test('lines of os-release that are none, too long or hold control characters are passed over', () => {
  const text = `ID='x'\nNAME="a \\"b\\""\nPRETTY_NAME=${'x'.repeat(201)}\nVERSION=a\u0007\n__proto__=1\nnonsense`;
  expect([...parseOsRelease(text)]).toEqual([
    ['ID', 'x'],
    ['NAME', 'a "b"'],
  ]);
});
