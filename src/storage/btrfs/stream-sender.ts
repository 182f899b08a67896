import path from 'node:path';
import { kernel } from '#native/kernel.ts';
import type { Volume } from '../driver.ts';
import { temporaryName } from '../layout.ts';
import { runInto } from '../piped-bytes.ts';
import type { StreamTree, TreeSender } from '../tree-streams.ts';
import { Folder } from '../trees/folder.ts';
import { type TreeContext, destroyLater, openTop, relativePath } from '../trees/trees.ts';
import { snapshotTree } from './subvolumes.ts';

/** Name of the tree in its stream. */
const headName = '.migration-send';

/** The volume stands still as a read-only snapshot of a temporary name, which is gone with the sender. */
export async function openSender(
  context: TreeContext,
  volume: Volume,
  snapshots: readonly string[],
  headSnapshot?: string,
): Promise<TreeSender> {
  const aside = temporaryName();
  using root = Folder.open(context.mountPoint);
  kernel.mkdirAt(root.descriptor, aside, 0o700);
  try {
    const trees: StreamTree[] = [];
    for (const name of snapshots) {
      using top = openTop(context, { volume, name });
      trees.push(...(await treesOf(top, name)));
    }
    using source = openTop(context, headSnapshot === undefined ? volume : { volume, name: headSnapshot });
    using parent = root.child(aside);
    await snapshotTree(source, parent, headName, true);
    using head = parent.child(headName);
    trees.push(...(await treesOf(head, '')));
    return {
      stillFolder: path.join(context.mountPoint, aside, headName),
      trees,
      common: true,
      send: async (tree, before, output, { signal }) => {
        const place = (one: StreamTree): string => {
          const top = one.snapshot === '' ? path.join(aside, headName) : relativePath({ volume, name: one.snapshot });
          return path.join(context.mountPoint, top, one.path);
        };
        const parent = before.findLast(one => one.path === tree.path);
        const args = ['send', '-q', ...(parent ? ['-p', place(parent)] : []), '--', place(tree)];
        await runInto(output, 'btrfs', args, signal);
      },
      [Symbol.asyncDispose]: () => Promise.resolve(destroyLater(context, '.', aside)),
    };
  } catch (error) {
    destroyLater(context, '.', aside);
    throw error;
  }
}

/** The trees of a volume or snapshot: its top, and then what is nested in it, parents first. */
export async function treesOf(top: Folder, snapshot: string): Promise<readonly StreamTree[]> {
  const nested = await kernel.btrfsNestedSubvolumes(top.descriptor);
  return ['.', ...[...nested].sort()].map(relative => {
    using folder = top.child(relative);
    const { uuid, receivedUuid } = kernel.btrfsIdentity(folder.descriptor);
    return { path: path.join('/', relative), snapshot, readonly: snapshot !== '', uuid: dashed(receivedUuid || uuid) };
  });
}

/** As LXD and the tools write it. */
function dashed(uuid: string): string {
  return uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
