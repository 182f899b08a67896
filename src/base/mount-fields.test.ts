import { expect, test } from 'vitest';
import { unescapeMountField } from './mount-fields.ts';

test.each([
  ['/srv/my\\040data', '/srv/my data'],
  ['/a\\011b\\012c\\134d', '/a\tb\nc\\d'],
  ['/plain', '/plain'],
  ['/not\\9octal', '/not\\9octal'],
])('%j is %j', (field, text) => {
  expect(unescapeMountField(field)).toBe(text);
});
