export interface Row {
  readonly what: string;
  readonly unit: 'ms' | 'MiB';
  readonly ours: number;
  readonly lxd: number | undefined;
  /** most that ours/LXD (or ours alone, when `absolute`) may be */
  readonly goal: number;
  readonly absolute?: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Median milliseconds of `work` over `runs`; `reset` runs between, unmeasured. */
export async function medianMs(
  runs: number,
  work: (run: number) => Promise<unknown>,
  reset: (run: number) => Promise<unknown> = () => Promise.resolve(),
): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const started = performance.now();
    await work(run);
    times.push(performance.now() - started);
    await reset(run);
  }
  return median(times);
}

export function printTable(rows: readonly Row[]): void {
  const lines = rows.map(row => {
    const value = row.absolute ? row.ours : row.lxd === undefined ? Number.NaN : row.ours / row.lxd;
    const verdict = Number.isNaN(value) ? '' : value <= row.goal ? 'met' : 'MISSED';
    const goal = `${row.absolute ? '' : 'x '}${String(row.goal)}${row.absolute ? ` ${row.unit}` : ''}`;
    return [
      row.what,
      number(row.ours, row.unit),
      number(row.lxd, row.unit),
      row.absolute ? '' : ratio(value),
      goal,
      verdict,
    ];
  });
  const head = ['what', 'ours', 'LXD', 'ours/LXD', 'at most', ''];
  for (const line of [head, head.map(() => '---'), ...lines]) {
    console.log(`| ${line.join(' | ')} |`);
  }
}

function number(value: number | undefined, unit: string): string {
  return value === undefined || Number.isNaN(value)
    ? '-'
    : `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ${unit}`;
}

function ratio(value: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(2);
}
