import { createHash } from 'node:crypto';

/** What stands for a container in the path of a socket, which has at most 107 bytes (unix(7)). */
export function shortName(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 16);
}
