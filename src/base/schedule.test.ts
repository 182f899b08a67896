import { expect, test } from 'vitest';
import { isScheduledAt, parseSchedule, scheduleProblem } from './schedule.ts';

function matches(text: string, local: string): boolean {
  const schedule = parseSchedule(text);
  if (!schedule) throw new Error(`"${text}" is no schedule`);
  return isScheduledAt(schedule, new Date(local));
}

test.each([
  ['* * * * *', '2026-03-04T05:06:00', true],
  ['*/15 * * * *', '2026-03-04T05:45:00', true],
  ['*/15 * * * *', '2026-03-04T05:46:00', false],
  ['0 6 * * *', '2026-03-04T06:00:59', true],
  ['0 6 * * mon-fri', '2026-03-07T06:00:00', false], // a Saturday
  ['0 6 * * MON-FRI', '2026-03-06T06:00:00', true],
  ['0 0 * * 7', '2026-03-08T00:00:00', true], // a Sunday
  ['0 0 13 * fri', '2026-03-13T00:00:00', true],
  ['0 0 13 * fri', '2026-03-20T00:00:00', true], // either day is enough
  ['0 0 13 * fri', '2026-03-14T00:00:00', false],
  ['0 0 1 jan,jul *', '2026-07-01T00:00:00', true],
  ['10-20/5 * * * *', '2026-07-01T00:15:00', true],
  ['10/20 * * * *', '2026-07-01T00:50:00', true],
  ['@hourly', '2026-07-01T03:00:00', true],
  ['@daily', '2026-07-01T03:00:00', false],
  ['@weekly', '2026-03-08T00:00:00', true],
  ['@monthly', '2026-03-01T00:00:00', true],
  ['@yearly', '2026-01-01T00:00:00', true],
  ['0 6 * * *, @midnight', '2026-03-04T00:00:00', true],
  ['@never', '2026-03-04T00:00:00', false],
  ['@startup', '2026-03-04T00:00:00', false],
])('"%s" at %s: %s', (text, local, expected) => {
  expect(matches(text, local)).toBe(expected);
});

test('"@startup" is told, beside other times', () => {
  expect(parseSchedule('@startup, @daily')?.atStartup).toBe(true);
  expect(parseSchedule('@daily')?.atStartup).toBe(false);
});

test.each([
  [''],
  ['* * * *'],
  ['@often'],
  ['60 * * * *'],
  ['* 24 * * *'],
  ['* * 0 * *'],
  ['* * * 13 *'],
  ['* * * * 8'],
])('"%s" is refused', text => expect(scheduleProblem(text)).toContain('must be of the form'));

test.each([['5-1 * * * *'], ['*/0 * * * *'], ['x * * * *'], ['1- * * * *'], ['1,, * * * *'], ['* * * * *,@daily']])(
  '"%s" is refused, too',
  text => expect(parseSchedule(text)).toBe(undefined),
);
