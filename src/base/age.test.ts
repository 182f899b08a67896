import { expect, test } from 'vitest';
import { ageProblem, parseAge, timeAfter } from './age.ts';

test.each([
  ['1M 2H 3d 4w 5m 6y', '2032-07-02T02:01:00.000Z'],
  ['1d', '2026-01-02T00:00:00.000Z'],
  ['90M', '2026-01-01T01:30:00.000Z'],
])('%s after new year', (text, expected) => {
  const age = parseAge(text);
  expect(age && timeAfter(age, new Date('2026-01-01T00:00:00Z'))?.toISOString()).toBe(expected);
});

test.each([[''], ['1'], ['d'], ['1d 2d'], ['1x'], ['-1d'], ['1.5d'], ['999999d']])('"%s" is no age', text => {
  expect(ageProblem(text)).toContain('must be an age');
});
