import { zeroTime } from '#api/common.ts';
import { parseAge, timeAfter } from '#base/age.ts';

/** When a snapshot made at `from` expires by an age such as "3d 12H"; zero time when there is none. */
export function expiryTime(text: string | undefined, from: Date): string {
  const age = text ? parseAge(text) : undefined;
  return (age && timeAfter(age, from)?.toISOString()) ?? zeroTime;
}

/** True when the time is set and past. */
export function isExpired(expiresAt: string, now: Date): boolean {
  return expiresAt !== zeroTime && Date.parse(expiresAt) <= now.getTime();
}
