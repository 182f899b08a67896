const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

const two = (value: number): string => String(value).padStart(2, '0');
const hour12 = (time: Date): number => time.getHours() % 12 || 12;

/** Words of a layout and what stands for them; a longer word comes before those that it begins with. */
const words: readonly (readonly [word: string, render: (time: Date) => string])[] = [
  ['2006', time => String(time.getFullYear()).padStart(4, '0')],
  ['January', time => months[time.getMonth()] ?? ''],
  ['Monday', time => days[time.getDay()] ?? ''],
  ['-07:00', time => zone(time, ':')],
  ['Z07:00', time => (time.getTimezoneOffset() === 0 ? 'Z' : zone(time, ':'))],
  ['-0700', time => zone(time, '')],
  ['.000', time => `.${String(time.getMilliseconds()).padStart(3, '0')}`],
  ['Jan', time => (months[time.getMonth()] ?? '').slice(0, 3)],
  ['Mon', time => (days[time.getDay()] ?? '').slice(0, 3)],
  ['MST', time => (time.getTimezoneOffset() === 0 ? 'UTC' : zone(time, ''))],
  ['002', time => String(dayOfYear(time)).padStart(3, '0')],
  ['01', time => two(time.getMonth() + 1)],
  ['02', time => two(time.getDate())],
  ['03', time => two(hour12(time))],
  ['04', time => two(time.getMinutes())],
  ['05', time => two(time.getSeconds())],
  ['06', time => two(time.getFullYear() % 100)],
  ['15', time => two(time.getHours())],
  ['PM', time => (time.getHours() < 12 ? 'AM' : 'PM')],
  ['pm', time => (time.getHours() < 12 ? 'am' : 'pm')],
  ['_2', time => String(time.getDate()).padStart(2, ' ')],
  ['1', time => String(time.getMonth() + 1)],
  ['2', time => String(time.getDate())],
  ['3', time => String(hour12(time))],
  ['4', time => String(time.getMinutes())],
  ['5', time => String(time.getSeconds())],
];

/** Renders a time by an example of it, as Go's time.Format: "2006-01-02_15-04-05" stands for date and clock. */
export function formatTime(time: Date, layout: string): string {
  let text = '';
  for (let rest = layout; rest !== '';) {
    const [word, render] = words.find(([word]) => rest.startsWith(word)) ?? [rest.charAt(0), undefined];
    text += render ? render(time) : word;
    rest = rest.slice(word.length);
  }
  return text;
}

function zone(time: Date, separator: string): string {
  const minutes = -time.getTimezoneOffset();
  const sign = minutes < 0 ? '-' : '+';
  return `${sign}${two(Math.floor(Math.abs(minutes) / 60))}${separator}${two(Math.abs(minutes) % 60)}`;
}

function dayOfYear(time: Date): number {
  const start = Date.UTC(time.getFullYear(), 0, 0);
  return Math.round((Date.UTC(time.getFullYear(), time.getMonth(), time.getDate()) - start) / 86_400_000);
}
