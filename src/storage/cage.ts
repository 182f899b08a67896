import { installedPath } from '#base/install-root.ts';

export interface Cage {
  /** absolute path of the daemon's own folder that the program sees as /volume */
  readonly tree: string;
  readonly writable: boolean;
  /** for programs that need the calls of btrfs */
  readonly btrfs?: boolean;
  /** host ids that the program means by the tree's ids from 0 up */
  readonly idmap?: { readonly hostBase: number; readonly size: number };
}

/** Where the tree is for a program in the cage. */
export const cagedTree = '/volume';

/** A remote shell for programs in the cage: it leads to descriptor 3. */
export const cagedShell = '/relay relay';

/**
 * The command line that runs a host program on a tree nobody vouches for: no link, name or device in the tree leads it
 * anywhere else (see native/ns/cage.h).
 */
export function caged(
  cage: Cage,
  program: string,
  args: readonly string[],
): readonly [program: string, args: readonly string[]] {
  const mode = `${cage.writable ? 'rw' : 'ro'}${cage.btrfs ? '+btrfs' : ''}`;
  const { hostBase, size } = cage.idmap ?? { hostBase: 0, size: 0 };
  return [
    installedPath('native/build/ctr-ns'),
    ['cage', mode, cage.tree, String(hostBase), String(size), program, ...args],
  ];
}
