/** Minutes to act at: several cron expressions or aliases, and words that name no minute. */
export interface Schedule {
  readonly times: readonly CronTimes[];
  /** "@startup" is among them */
  readonly atStartup: boolean;
}

interface CronTimes {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** crontab(5): when both are restricted, either is enough */
  readonly eitherDay: boolean;
}

const aliases: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@annually': '0 0 1 1 *',
  '@yearly': '0 0 1 1 *',
};

const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/**
 * Reads expressions such as "0 6 * * mon-fri" or "@daily", several separated by a comma and a blank. Undefined when
 * one of them is none. "@never" stands for no time at all.
 */
export function parseSchedule(text: string): Schedule | undefined {
  const times: CronTimes[] = [];
  let atStartup = false;
  for (const part of text.trim().split(/,\s+/)) {
    const word = part.trim().toLowerCase();
    if (word === '@startup') atStartup = true;
    if (word === '@startup' || word === '@never') continue;
    const cron = parseCron(aliases[word] ?? word);
    if (!cron) return undefined;
    times.push(cron);
  }
  return { times, atStartup };
}

/** Why the text is no schedule; for the tables of config keys. */
export function scheduleProblem(text: string): string | undefined {
  if (parseSchedule(text)) return undefined;
  return (
    'must be of the form: <minute> <hour> <day-of-month> <month> <day-of-week>, or one of ' +
    `${[...Object.keys(aliases), '@startup', '@never'].join(', ')}; several are separated by a comma and a blank`
  );
}

/** True in the minutes of the schedule, by the clock of this host. */
export function isScheduledAt(schedule: Schedule, time: Date): boolean {
  return schedule.times.some(cron => {
    const day = cron.days.has(time.getDate());
    const weekday = cron.weekdays.has(time.getDay());
    return (
      cron.minutes.has(time.getMinutes()) &&
      cron.hours.has(time.getHours()) &&
      cron.months.has(time.getMonth() + 1) &&
      (cron.eitherDay ? day || weekday : day && weekday)
    );
  });
}

function parseCron(text: string): CronTimes | undefined {
  const fields = text.split(/\s+/);
  if (fields.length !== 5) return undefined;
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  const minutes = parseField(minute, 0, 59);
  const hours = parseField(hour, 0, 23);
  const days = parseField(day, 1, 31);
  const months = parseField(month, 1, 12, monthNames);
  const weekdays = parseField(weekday, 0, 7, dayNames);
  if (!minutes || !hours || !days || !months || !weekdays) return undefined;
  if (weekdays.has(7)) weekdays.add(0);
  return { minutes, hours, days, months, weekdays, eitherDay: isRestricted(day) && isRestricted(weekday) };
}

function isRestricted(field: string): boolean {
  return !field.startsWith('*') && !field.startsWith('?');
}

/** Lists of numbers, names, ranges and steps: "*", "0-30/5", "1-5", "0,30", "mon-fri". */
function parseField(
  field: string,
  first: number,
  last: number,
  names: readonly string[] = [],
): Set<number> | undefined {
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const match = /^(?:([*?])|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:\/(\d{1,2}))?$/.exec(part);
    if (!match) return undefined;
    const [, all, from, to, by] = match;
    const number = (word: string): number => {
      const index = names.indexOf(word);
      if (index >= 0) return index + (first === 1 ? 1 : 0);
      return /^\d{1,2}$/.test(word) ? Number(word) : Number.NaN;
    };
    const start = all ? first : number(from ?? '');
    const end = all || (to === undefined && by !== undefined) ? last : number(to ?? from ?? '');
    const step = by === undefined ? 1 : Number(by);
    if (!(start >= first && end <= last && start <= end && step > 0)) return undefined;
    for (let value = start; value <= end; value += step) values.add(value);
  }
  return values;
}
