/** First and last of a run of ports; both the same for one. */
export type PortRange = readonly [first: number, last: number];

/** Parses "80,443,8000-8010"; undefined unless all are ports in ascending ranges. */
export function parsePorts(text: string): readonly PortRange[] | undefined {
  const ranges: PortRange[] = [];
  for (const part of text.split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim());
    if (!match) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first || last > 65_535) return undefined;
    ranges.push([first, last]);
  }
  return ranges;
}

export function formatPorts(ranges: readonly PortRange[]): readonly string[] {
  return ranges.map(([first, last]) => (first === last ? String(first) : `${String(first)}-${String(last)}`));
}

/** Each port of the ranges, in their order. */
export function eachPort(ranges: readonly PortRange[]): readonly number[] {
  return ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
}
