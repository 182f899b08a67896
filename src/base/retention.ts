/** How many snapshots to keep of each period: the newest of each hour, day … as far back as the count reaches. */
export type Retention = ReadonlyMap<Period, number>;

const periods = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
type Period = (typeof periods)[number];

/** Reads a set such as "hourly=24 daily=7 weekly=4 monthly=12"; undefined when it is none. */
export function parseRetention(text: string): Retention | undefined {
  const counts = new Map<Period, number>();
  for (const part of text.trim().split(/\s+/)) {
    const [word = '', count = ''] = part.split('=');
    const period = periods.find(period => period === word);
    if (!period || counts.has(period) || !/^[1-9]\d{0,3}$/.test(count)) return undefined;
    counts.set(period, Number(count));
  }
  return counts;
}

/** Why the text is no retention set; for the tables of config keys. */
export function retentionProblem(text: string): string | undefined {
  if (parseRetention(text)) return undefined;
  return `must be a set such as "hourly=24 daily=7 weekly=4 monthly=12" of ${periods.join(', ')}`;
}

/** Those of the snapshots that no period keeps. The newest one always stays. */
export function superfluous<T extends { readonly createdAt: string }>(
  retention: Retention,
  snapshots: readonly T[],
): readonly T[] {
  const newestFirst = [...snapshots].sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt));
  const kept = new Set<T>(newestFirst.slice(0, 1));
  for (const [period, count] of retention) {
    const seen = new Set<string>();
    for (const snapshot of newestFirst) {
      const bucket = bucketOf(period, new Date(snapshot.createdAt));
      if (seen.has(bucket)) continue;
      if (seen.size === count) break;
      seen.add(bucket);
      kept.add(snapshot);
    }
  }
  return snapshots.filter(snapshot => !kept.has(snapshot));
}

function bucketOf(period: Period, time: Date): string {
  const text = time.toISOString();
  if (period === 'hourly') return text.slice(0, 13);
  if (period === 'daily') return text.slice(0, 10);
  if (period === 'monthly') return text.slice(0, 7);
  if (period === 'yearly') return text.slice(0, 4);
  const monday = new Date(time);
  monday.setUTCDate(time.getUTCDate() - ((time.getUTCDay() + 6) % 7));
  return monday.toISOString().slice(0, 10);
}
