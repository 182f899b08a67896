import { defineKeys } from '#base/config-schema.ts';

/** The keys `snapshots.*`: when snapshots are made, how they are called and how long they stay. */
export const snapshotKeys = defineKeys({
  'snapshots.expiry': {
    type: 'string',
    summary: 'Age at which snapshots are deleted, such as "3d 12H"',
    check: expiryProblem,
  },
  'snapshots.pattern': { type: 'string', summary: 'Name of snapshots: "snap%d" counts', check: patternProblem },
  'snapshots.schedule': {
    type: 'string',
    summary: 'When snapshots are made',
    check: () => 'is not supported yet',
  },
  'snapshots.schedule.stopped': {
    type: 'boolean',
    default: 'false',
    summary: 'Whether stopped instances are snapshot on schedule',
  },
});

function expiryProblem(value: string): string | undefined {
  return parseExpiry(value) ? undefined : 'must be an age such as "3d 12H" (M, H, d, w, m, y)';
}

/** Amounts by unit of an age such as "3d 12H": M minutes, H hours, d days, w weeks, m months, y years. */
export function parseExpiry(value: string): ReadonlyMap<string, number> | undefined {
  const amounts = new Map<string, number>();
  for (const part of value.trim().split(/\s+/)) {
    const match = /^(\d{1,5})([MHdwmy])$/.exec(part);
    if (!match?.[2] || amounts.has(match[2])) return undefined;
    amounts.set(match[2], Number(match[1]));
  }
  return amounts;
}

function patternProblem(value: string): string | undefined {
  if (value.includes('{{') || value.includes('{%')) return 'must not hold template expressions';
  if (value.split('%d').length > 2) return 'must hold "%d" at most once';
  return /^[^\s/]{1,100}$/.test(value) ? undefined : 'must be the name of a snapshot';
}
