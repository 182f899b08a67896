/** A range of user or group ids, both ends in it. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

/** Ranges of a text such as "1000,2000-2999"; undefined when it is none. */
export function parseIdRanges(text: string): readonly IdRange[] | undefined {
  const ranges: IdRange[] = [];
  for (const entry of text.split(',')) {
    const match = /^\s*(\d{1,10})(?:-(\d{1,10}))?\s*$/.exec(entry);
    if (!match) return undefined;
    const range = { first: Number(match[1]), last: Number(match[2] ?? match[1]) };
    if (range.last < range.first || range.last >= 2 ** 32) return undefined;
    ranges.push(range);
  }
  return ranges;
}

/** True when one of the ranges holds all of `range`. */
export function holdsRange(ranges: readonly IdRange[], range: IdRange): boolean {
  return ranges.some(({ first, last }) => first <= range.first && range.last <= last);
}

/** A line of `raw.idmap`: which ids, and the host's ids of them. */
export interface IdmapLine {
  readonly kind: string;
  readonly host: IdRange;
}

/** Lines of `raw.idmap`, checked before by its key; undefined for one that names no host range. */
export function parseRawIdmap(text: string): readonly (IdmapLine | undefined)[] {
  return text
    .split('\n')
    .filter(line => line.trim() !== '')
    .map(line => {
      const [kind = '', host = ''] = line.trim().split(/\s+/);
      const [range] = parseIdRanges(host) ?? [];
      return range && { kind, host: range };
    });
}
