/** A time as LXD's lists show it, in the local zone: "2026/08/01 10:20 CEST"; empty for "never". */
export function shortDate(time: string | null | undefined): string {
  const date = dateOf(time);
  if (!date) return '';
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${String(date.getFullYear())}/${two(date.getMonth() + 1)}/${two(date.getDate())}`;
  const zone = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' })
    .formatToParts(date)
    .find(part => part.type === 'timeZoneName');
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())} ${zone?.value ?? ''}`.trim();
}

function dateOf(time: string | null | undefined): Date | undefined {
  if (!time) return undefined;
  const date = new Date(time);
  // LXD writes "never" as year 1 and sometimes as the epoch.
  return Number.isNaN(date.getTime()) || date.getTime() <= 0 ? undefined : date;
}
