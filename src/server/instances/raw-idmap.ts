import type { IdmapHole } from '../runtime/idmap.ts';

const largest = 2 ** 32 - 2;

/** Why lines of raw.idmap are refused, or undefined when they are good. */
export function rawIdmapProblem(text: string): string | undefined {
  const parsed = parseRawIdmap(text);
  return typeof parsed === 'string' ? parsed : undefined;
}

/** The ids of lines such as "both 1000 1000" or "uid 50-60 500-510", or why they are refused. */
export function parseRawIdmap(text: string): readonly IdmapHole[] | string {
  const holes: IdmapHole[] = [];
  for (const line of text.split('\n').map(part => part.trim())) {
    if (line === '') continue;
    const match = /^(uid|gid|both)\s+(\d{1,10})(?:-(\d{1,10}))?\s+(\d{1,10})(?:-(\d{1,10}))?$/.exec(line);
    if (!match) return `must hold lines such as "both 1000 1000" or "uid 50-60 500-510", not "${line.slice(0, 60)}"`;
    const [hostId, hostEnd] = range(match[2], match[3]);
    const [nsId, nsEnd] = range(match[4], match[5]);
    const size = hostEnd - hostId + 1;
    if (size < 1 || hostEnd > largest || nsEnd > largest) return `holds a range that is none: "${line.slice(0, 60)}"`;
    if (size !== nsEnd - nsId + 1) return `maps ranges of different sizes: "${line.slice(0, 60)}"`;
    const hole = { uid: match[1] !== 'gid', gid: match[1] !== 'uid', hostId, nsId, size };
    const other = holes.find(one => overlaps(one, hole));
    if (other) return `maps an id twice: "${line.slice(0, 60)}"`;
    holes.push(hole);
  }
  return holes;
}

function range(first = '0', last = first): readonly [number, number] {
  return [Number(first), Number(last)];
}

function overlaps(one: IdmapHole, other: IdmapHole): boolean {
  const sameKind = (one.uid && other.uid) || (one.gid && other.gid);
  const meet = (a: number, b: number): boolean => a < b + other.size && b < a + one.size;
  return sameKind && (meet(one.nsId, other.nsId) || meet(one.hostId, other.hostId));
}
