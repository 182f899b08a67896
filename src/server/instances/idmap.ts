import { readFileSync } from 'node:fs';
import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { effectiveBoolean } from '#base/config-schema.ts';
import { type Idmap, type IdmapHole, idmapLines } from '../runtime/idmap.ts';
import { instanceKeys } from './config-keys.ts';
import { parseRawIdmap } from './raw-idmap.ts';

/** Host ids that containers may have. */
export interface IdRange {
  readonly first: number;
  readonly size: number;
}

/** Ids of one container: nobody (65534) must be among them. */
const defaultSize = 65_536;

let hostRange: IdRange | undefined;

/** The range that /etc/subuid gives to root (subuid(5)), else 1000000 and up. Read once. */
export function idRange(): IdRange {
  hostRange ??= parseSubordinateIds(readOr('/etc/subuid')) ?? { first: 1_000_000, size: 1_000_000_000 };
  return hostRange;
}

export function parseSubordinateIds(text: string): IdRange | undefined {
  for (const line of text.split('\n')) {
    const match = /^(?:root|0):(\d{1,10}):(\d{1,10})$/.exec(line.trim());
    if (match && Number(match[1]) > 0 && Number(match[2]) >= defaultSize)
      return { first: Number(match[1]), size: Number(match[2]) };
  }
  return undefined;
}

/**
 * Where ids of a container lie: undefined when it is privileged, a range of its own when it is isolated, else the one
 * that all others share. `others` are the isolated ranges that are taken; call it in the transaction that stores it.
 */
export function idmapOf(config: ConfigMap, others: readonly Idmap[], range: IdRange = idRange()): Idmap | undefined {
  if (effectiveBoolean(instanceKeys, config, 'security.privileged')) return undefined;
  const holes = parseRawIdmap(config['raw.idmap'] ?? '');
  if (typeof holes === 'string') throw new ApiError('invalid-argument', `Config key "raw.idmap" ${holes}`);
  const isolated = effectiveBoolean(instanceKeys, config, 'security.idmap.isolated');
  const plain = isolated ? ownRange(config, others, range) : { hostBase: range.first, size: defaultSize };
  return holes.length === 0 ? plain : { ...plain, holes };
}

function ownRange(config: ConfigMap, others: readonly Idmap[], range: IdRange): Idmap {
  const size = Number(config['security.idmap.size']) || defaultSize;
  const wanted = config['security.idmap.base'];
  if (wanted) return fixedRange(Number(wanted), size, others, range);
  let hostBase = range.first + defaultSize;
  for (const other of [...others].sort((a, b) => a.hostBase - b.hostBase)) {
    if (hostBase + size <= other.hostBase) break;
    hostBase = Math.max(hostBase, other.hostBase + other.size);
  }
  if (hostBase + size > range.first + range.size)
    throw new ApiError(
      'failed-precondition',
      'There are no host ids left for an isolated instance: delete others, or give root more in /etc/subuid',
    );
  return { hostBase, size };
}

/** The map as kept in volatile keys, as LXD writes it. */
export function idmapVolatile(idmap: Idmap | undefined): ConfigMap {
  const entries = idmap ? keptEntries(idmap) : [];
  const text = JSON.stringify(entries);
  return {
    'volatile.idmap.base': String(idmap?.hostBase ?? 0),
    'volatile.idmap.current': text,
    'volatile.idmap.next': text,
    'volatile.last_state.idmap': '[]',
  };
}

/** One line of a map as LXD writes it. */
interface KeptEntry {
  readonly Isuid: boolean;
  readonly Isgid: boolean;
  readonly Hostid: number;
  readonly Nsid: number;
  readonly Maprange: number;
}

function keptEntries(idmap: Idmap): readonly KeptEntry[] {
  const entry = (Isuid: boolean, { nsId, hostId, size }: { nsId: number; hostId: number; size: number }): KeptEntry => {
    const shared = idmap.holes?.some(hole => hole.uid && hole.gid && hole.nsId === nsId && hole.hostId === hostId);
    return {
      Isuid: shared === true || Isuid,
      Isgid: shared === true || !Isuid,
      Hostid: hostId,
      Nsid: nsId,
      Maprange: size,
    };
  };
  const users = idmapLines(idmap, 'uid').map(line => entry(true, line));
  const groups = idmapLines(idmap, 'gid').map(line => entry(false, line));
  return [...users, ...groups.filter(({ Isuid }) => !Isuid)];
}

/** The map that is kept in volatile keys; undefined when there is none or the instance is privileged. */
export function keptIdmap(config: ConfigMap): Idmap | undefined {
  try {
    const entries = JSON.parse(config['volatile.idmap.next'] ?? '[]') as KeptEntry[];
    const largest = [...entries].sort((a, b) => b.Maprange - a.Maprange)[0];
    if (!largest) return undefined;
    const hostBase = largest.Hostid - largest.Nsid;
    const isPlain = ({ Hostid, Nsid }: KeptEntry): boolean => Hostid - Nsid === hostBase;
    const size = Math.max(...entries.filter(isPlain).map(({ Nsid, Maprange }) => Nsid + Maprange));
    const holes = entries.filter(entry => !isPlain(entry)).map(holeOf);
    return { hostBase, size, ...(holes.length > 0 && { holes }) };
  } catch {
    return undefined;
  }
}

function holeOf({ Isuid, Isgid, Hostid, Nsid, Maprange }: KeptEntry): IdmapHole {
  return { uid: Isuid, gid: Isgid, hostId: Hostid, nsId: Nsid, size: Maprange };
}

function fixedRange(hostBase: number, size: number, others: readonly Idmap[], range: IdRange): Idmap {
  const end = hostBase + size;
  if (hostBase < range.first + defaultSize || end > range.first + range.size)
    throw new ApiError(
      'invalid-argument',
      `Config key "security.idmap.base" must lie from ${String(range.first + defaultSize)} to ${String(range.first + range.size - size)}`,
    );
  if (others.some(other => hostBase < other.hostBase + other.size && other.hostBase < end))
    throw new ApiError('invalid-argument', 'Config key "security.idmap.base" overlaps the ids of another instance');
  return { hostBase, size };
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
