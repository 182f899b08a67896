import { describe, expect, test } from 'vitest';
import { nextSnapshotName, patternProblem } from './snapshot-name.ts';
import { formatTime } from './time-layout.ts';

const now = new Date(2026, 10, 5, 19, 4, 7, 80);

test.each([
  ['2006-01-02_15-04-05', '2026-11-05_19-04-07'],
  ['06/1/2 3:4:5 PM', '26/11/5 7:4:7 PM'],
  ['Mon Jan _2 15:04:05.000', 'Thu Nov  5 19:04:07.080'],
  ['Monday, 02 January', 'Thursday, 05 November'],
  ['day 002', 'day 309'],
])('layout "%s"', (layout, expected) => {
  expect(formatTime(now, layout)).toBe(expected);
});

describe('names of snapshots', () => {
  test.each([
    ['', [], 'snap0'],
    ['snap%d', ['snap0', 'snap4', 'other'], 'snap5'],
    ['daily', [], 'daily'],
    ['daily', ['daily'], 'daily-0'],
    ['daily', ['daily', 'daily-0'], 'daily-1'],
    ["{{ creation_date|date:'2006-01-02_15-04-05' }}", [], '2026-11-05_19-04-07'],
    ['{{creation_date|date:"20060102"}}-%d', ['20261105-0'], '20261105-1'],
    ['at-{{ creation_date }}', [], 'at-2026-11-05T19:04:07'],
  ])('pattern "%s" with %j taken', (pattern, taken, expected) => {
    expect(patternProblem(pattern)).toBe(undefined);
    expect(nextSnapshotName(pattern, taken, now)).toBe(expected);
  });

  test.each([['%d-%d'], ['{{ foo }}'], ['{% if x %}'], ['{{ creation_date|lower }}'], ['a b'], ['a/b']])(
    'pattern "%s" is refused',
    pattern => expect(patternProblem(pattern)).toMatch(/^(may|must)/),
  );
});
