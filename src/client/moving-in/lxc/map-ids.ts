import type { IdRangeEntry } from '#protocol/messages.ts';
import type { NamedLine } from './key-names.ts';
import type { Mapping } from './mapping.ts';

/** How the ids of the root file system are shifted on disk. A server can take back one range that begins with root. */
export function mapIds(mapping: Mapping, lines: readonly NamedLine[]): readonly IdRangeEntry[] {
  const entries: IdRangeEntry[] = [];
  for (const line of lines) {
    const match = /^([ugb])\s+(\d{1,10})\s+(\d{1,10})\s+(\d{1,10})$/.exec(line.value);
    if (!match) {
      mapping.refuse(line, 'cannot be read as a range of ids');
      continue;
    }
    const [, kind, containerId, hostId, size] = match;
    entries.push({
      isUid: kind !== 'g',
      isGid: kind !== 'u',
      containerId: Number(containerId),
      hostId: Number(hostId),
      size: Number(size),
    });
  }
  const [first] = entries;
  const line = lines.at(-1);
  if (!first || !line || mapping.obstacles.length > 0) return [];
  const even = entries.every(
    ({ containerId, hostId, size }) => containerId === 0 && hostId === first.hostId && size === first.size,
  );
  if (!even || !entries.some(entry => entry.isUid) || !entries.some(entry => entry.isGid)) {
    mapping.refuse(line, 'its ids are shifted by more than one range, which servers cannot take back');
    return [];
  }
  for (const one of lines) mapping.take(one, 'files get their own ids back; the daemon maps them when it runs');
  return first.hostId === 0 ? [] : entries;
}
