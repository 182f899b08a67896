/** Ids of a container that lie elsewhere on the host than the rest of its range. */
export interface IdmapHole {
  readonly uid: boolean;
  readonly gid: boolean;
  readonly hostId: number;
  readonly nsId: number;
  readonly size: number;
}

/** Where ids of a container lie on the host: one range for users and groups, but for the holes. */
export interface Idmap {
  readonly hostBase: number;
  readonly size: number;
  readonly holes?: readonly IdmapHole[];
}

/** One line of a map: `size` ids from `nsId` in the container are those from `hostId` on the host. */
export interface IdmapLine {
  readonly nsId: number;
  readonly hostId: number;
  readonly size: number;
}

/** The lines of a map for users or groups, in the order of the container's ids. */
export function idmapLines(idmap: Idmap, kind: 'uid' | 'gid'): readonly IdmapLine[] {
  const holes = (idmap.holes ?? []).filter(hole => hole[kind]).sort((a, b) => a.nsId - b.nsId);
  const lines: IdmapLine[] = [];
  let next = 0;
  for (const { nsId, hostId, size } of holes) {
    if (nsId > next && next < idmap.size) lines.push(plain(idmap, next, Math.min(nsId, idmap.size)));
    lines.push({ nsId, hostId, size });
    next = nsId + size;
  }
  if (next < idmap.size) lines.push(plain(idmap, next, idmap.size));
  return lines;
}

/** The host's id of one of the container; that of nobody when it has none. */
export function hostIdOf(idmap: Idmap | undefined, kind: 'uid' | 'gid', id: number): number {
  if (!idmap) return id;
  const line = idmapLines(idmap, kind).find(({ nsId, size }) => id >= nsId && id < nsId + size);
  return line ? line.hostId + id - line.nsId : 65_534;
}

function plain({ hostBase }: Idmap, first: number, end: number): IdmapLine {
  return { nsId: first, hostId: hostBase + first, size: end - first };
}
