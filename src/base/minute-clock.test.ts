import { expect, test } from 'vitest';
import { MinuteClock } from './minute-clock.ts';

test('each minute is given once, those missed as well', () => {
  const clock = new MinuteClock();
  const due = (text: string): readonly string[] =>
    clock.due(new Date(`2026-01-01T${text}Z`)).map(time => time.toISOString().slice(11, 16));
  expect(due('10:00:30')).toEqual(['10:00']);
  expect(due('10:00:59')).toEqual([]);
  expect(due('10:01:59')).toEqual(['10:01']);
  expect(due('10:04:00')).toEqual(['10:02', '10:03', '10:04']);
  expect(due('09:30:00')).toEqual([]); // the clock was set back
  expect(due('13:00:00')).toHaveLength(10);
});
