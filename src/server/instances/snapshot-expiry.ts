import { zeroTime } from '#api/common.ts';
import { parseExpiry } from './snapshot-keys.ts';

/** When a snapshot made at `from` expires by an age such as "3d 12H"; zero time when there is none. */
export function expiryTime(age: string | undefined, from: Date): string {
  const amounts = age ? parseExpiry(age) : undefined;
  if (!amounts) return zeroTime;
  const amount = (unit: string): number => amounts.get(unit) ?? 0;
  const time = new Date(from);
  time.setUTCFullYear(time.getUTCFullYear() + amount('y'), time.getUTCMonth() + amount('m'));
  time.setUTCDate(time.getUTCDate() + amount('d') + 7 * amount('w'));
  time.setUTCHours(time.getUTCHours() + amount('H'), time.getUTCMinutes() + amount('M'));
  return Number.isNaN(time.getTime()) ? zeroTime : time.toISOString();
}

/** True when the time is set and past. */
export function isExpired(expiresAt: string, now: Date): boolean {
  return expiresAt !== zeroTime && Date.parse(expiresAt) <= now.getTime();
}
