import { expect, test } from 'vitest';
import { keptUntilFor } from './undoable.ts';

const now = new Date('2030-01-01T00:00:00Z');
const week = '2030-01-08T00:00:00.000Z';

test.each([
  ['asked', undefined, undefined],
  ['asked', '1', week],
  ['asked', '0', undefined],
  ['always', undefined, week],
  ['always', '0', undefined],
  ['never', '1', undefined],
] as const)('with undo.snapshots %s and ?undoable=%s it is kept until %s', (rule, undoable, until) => {
  const config: Readonly<Record<string, string>> = { 'undo.snapshots': rule, 'undo.expiry': '7d' };
  const settings = { visible: {}, get: (key: string) => config[key] };
  const query = undoable === undefined ? {} : { undoable };
  expect(keptUntilFor({ settings }, { query }, 'undo.snapshots', now)).toEqual(until ? { keptUntil: until } : {});
});
