import { expect, test } from 'vitest';
import { parseRetention, retentionProblem, superfluous } from './retention.ts';

const hour = 3600 * 1000;
const newest = Date.parse('2026-03-31T23:00:00Z');
/** One snapshot an hour for 90 days, oldest first. */
const hourly = Array.from({ length: 90 * 24 }, (_, index) => ({
  createdAt: new Date(newest - (90 * 24 - 1 - index) * hour).toISOString(),
}));

function kept(text: string): readonly string[] {
  const retention = parseRetention(text);
  if (!retention) throw new Error(`"${text}" is no retention set`);
  const gone = new Set(superfluous(retention, hourly));
  return hourly.filter(snapshot => !gone.has(snapshot)).map(({ createdAt }) => createdAt.slice(0, 13));
}

test('the newest of each period stays, as far back as the count reaches', () => {
  expect(kept('daily=3')).toEqual(['2026-03-29T23', '2026-03-30T23', '2026-03-31T23']);
  expect(kept('monthly=2 hourly=2')).toEqual(['2026-02-28T23', '2026-03-31T22', '2026-03-31T23']);
  expect(kept('weekly=2')).toEqual(['2026-03-29T23', '2026-03-31T23']); // Sunday closes a week
  expect(kept('yearly=5')).toEqual(['2026-03-31T23']);
});

test('pruning twice is pruning once', () => {
  const retention = parseRetention('hourly=24 daily=7 weekly=4 monthly=12');
  const gone = new Set(superfluous(retention ?? new Map(), hourly));
  const once = hourly.filter(snapshot => !gone.has(snapshot));
  expect(superfluous(retention ?? new Map(), once)).toEqual([]);
});

test.each([[''], ['daily'], ['daily=0'], ['daily=x'], ['daily=1 daily=2'], ['sometimes=3']])(
  '"%s" is refused',
  text => {
    expect(retentionProblem(text)).toContain('must be a set');
  },
);
