import { readFileSync } from 'node:fs';
import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { effectiveBoolean } from '#base/config-schema.ts';
import type { Idmap } from '../runtime/runtime.ts';
import { instanceKeys } from './config-keys.ts';

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
  const set = (key: string): boolean => effectiveBoolean(instanceKeys, config, key);
  if (set('security.privileged')) return undefined;
  if (!set('security.idmap.isolated')) return { hostBase: range.first, size: defaultSize };
  const size = Number(config['security.idmap.size'] ?? defaultSize);
  const wanted = config['security.idmap.base'];
  if (wanted !== undefined) return fixedRange(Number(wanted), size, others, range);
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
  const entries = idmap
    ? [
        { Isuid: true, Isgid: false, Hostid: idmap.hostBase, Nsid: 0, Maprange: idmap.size },
        { Isuid: false, Isgid: true, Hostid: idmap.hostBase, Nsid: 0, Maprange: idmap.size },
      ]
    : [];
  const text = JSON.stringify(entries);
  return {
    'volatile.idmap.base': String(idmap?.hostBase ?? 0),
    'volatile.idmap.current': text,
    'volatile.idmap.next': text,
    'volatile.last_state.idmap': '[]',
  };
}

/** The map that is kept in volatile keys; undefined when there is none or the instance is privileged. */
export function keptIdmap(config: ConfigMap): Idmap | undefined {
  try {
    const entries = JSON.parse(config['volatile.idmap.next'] ?? '[]') as { Hostid: number; Maprange: number }[];
    const first = entries[0];
    return first ? { hostBase: first.Hostid, size: first.Maprange } : undefined;
  } catch {
    return undefined;
  }
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
