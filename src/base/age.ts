/** Units of an age: M minutes, H hours, d days, w weeks, m months, y years. */
export type Age = ReadonlyMap<string, number>;

/** Reads an age such as "1M 2H 3d 4w 5m 6y", each unit at most once; undefined when it is none. */
export function parseAge(text: string): Age | undefined {
  const amounts = new Map<string, number>();
  for (const part of text.trim().split(/\s+/)) {
    const match = /^(\d{1,5})([MHdwmy])$/.exec(part);
    if (!match?.[2] || amounts.has(match[2])) return undefined;
    amounts.set(match[2], Number(match[1]));
  }
  return amounts;
}

/** Why the text is no age; for the tables of config keys. */
export function ageProblem(text: string): string | undefined {
  return parseAge(text) ? undefined : 'must be an age such as "3d 12H" (M, H, d, w, m, y)';
}

/** The time that lies an age after another; undefined when that is beyond all calendars. */
export function timeAfter(age: Age, from: Date): Date | undefined {
  const amount = (unit: string): number => age.get(unit) ?? 0;
  const time = new Date(from);
  time.setUTCFullYear(time.getUTCFullYear() + amount('y'), time.getUTCMonth() + amount('m'));
  time.setUTCDate(time.getUTCDate() + amount('d') + 7 * amount('w'));
  time.setUTCHours(time.getUTCHours() + amount('H'), time.getUTCMinutes() + amount('M'));
  return Number.isNaN(time.getTime()) ? undefined : time;
}
