import { createHash } from 'node:crypto';

/** State directory of a usual installation. */
const usualRoot = '/var/lib/lxd-like';

/** Begins the names of a daemon's cgroups and sockets; daemons with another state directory have one of their own. */
export function brandOf(root: string): string {
  const mark = createHash('sha256').update(root).digest('hex').slice(0, 8);
  return root === usualRoot ? 'lxd-like' : `lxd-like-${mark}`;
}
