import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import { caged, cagedTree } from '../cage.ts';
import type { Snapshot, Volume } from '../driver.ts';
import { spendingSpace } from '../errors.ts';
import { checkName, snapshotFolder, temporaryName, topMode, volumeFolders } from '../layout.ts';
import { runFrom } from '../piped-bytes.ts';
import type { CheckTree, StreamTree, TreeReceiver } from '../tree-streams.ts';
import { Folder } from '../trees/folder.ts';
import {
  type TreeContext,
  destroyLater,
  discard,
  ensureSnapshots,
  findTop,
  openTop,
  openVolumes,
} from '../trees/trees.ts';
import { renameTrees, type Renaming } from './stream-filter.ts';
import { deleteTree, snapshotTree } from './subvolumes.ts';

const maxNested = 1000;

interface Received {
  readonly tree: StreamTree;
  /** path below the receiver's folder */
  readonly place: string;
}

/**
 * A subvolume of a temporary name is all that btrfs-receive(8) sees of the pool. Trees get UUIDs of this receiver's own
 * in it, because the kernel finds the first tree of a UUID wherever that is; what is put in place gets the sender's.
 */
export async function openReceiver(context: TreeContext, check: CheckTree): Promise<TreeReceiver> {
  const name = temporaryName();
  using root = Folder.open(context.mountPoint);
  await kernel.btrfsCreateSubvolume(root.descriptor, name);
  return new BtrfsReceiver(context, name, check);
}

class BtrfsReceiver implements TreeReceiver {
  readonly #context: TreeContext;
  readonly #name: string;
  readonly #check: CheckTree;
  /** what the sender's UUIDs are here */
  readonly #renamed = new Map<string, string>();
  /** trees of the pool that streams may build on, by the sender's UUIDs */
  readonly #offered = new Map<string, { readonly snapshot: Snapshot; readonly relative: string }>();
  readonly #received: Received[] = [];

  constructor(context: TreeContext, name: string, check: CheckTree) {
    this.#check = check;
    this.#context = context;
    this.#name = name;
  }

  async offer(snapshot: Snapshot): Promise<readonly Pick<StreamTree, 'path' | 'uuid'>[]> {
    using top = findTop(this.#context, snapshot);
    const relatives = top ? ['.', ...(await kernel.btrfsNestedSubvolumes(top.descriptor))] : [];
    return relatives.flatMap(relative => {
      using tree = top?.find(relative);
      const uuid = tree ? kernel.btrfsIdentity(tree.descriptor).receivedUuid : '';
      if (uuid === '') return [];
      this.#offered.set(uuid, { snapshot, relative });
      return [{ path: path.join('/', relative), uuid }];
    });
  }

  async receive(
    tree: StreamTree,
    parent: StreamTree | undefined,
    stream: AsyncIterable<Buffer>,
    signal?: AbortSignal,
  ): Promise<void> {
    if (this.#received.length > maxNested)
      throw new ApiError('invalid-argument', 'Too many subvolumes in one transfer');
    const into = this.#nextName('in');
    using cage = this.#open();
    using folder = cage.ensure(into, 0o700);
    const renamed = renameTrees(stream, this.#renaming(tree, parent));
    const args = ['receive', '-q', '-e', '-m', cagedTree, path.join(cagedTree, into)];
    const command = caged({ tree: cage.absolute, writable: true, btrfs: true }, 'btrfs', args);
    await spendingSpace('receiving a stream', () => runFrom(renamed, ...command, signal));
    const names = folder.folders();
    if (names.length !== 1) throw new ApiError('invalid-argument', 'Cannot take the stream: it holds no tree');
    const place = path.join(into, names[0] ?? '');
    if (tree.path === '/') await this.#check(path.join(cage.absolute, place));
    this.#received.push({ tree, place });
  }

  async place(volume: Volume, snapshots: readonly string[]): Promise<void> {
    await this.placeSnapshots(volume, snapshots);
    await this.#placeVolume(volume);
  }

  async placeSnapshots(volume: Volume, snapshots: readonly string[]): Promise<void> {
    for (const name of snapshots) await this.#placeSnapshot({ volume, name });
  }

  async #placeSnapshot(snapshot: Snapshot): Promise<void> {
    const name = checkName(snapshot.name);
    using parent = ensureSnapshots(this.#context, snapshot.volume);
    const half = temporaryName();
    try {
      await this.#assemble(snapshot.name, parent, half, true);
      discard(this.#context, path.join(snapshotFolder(snapshot.volume.kind), checkName(snapshot.volume.name)), name);
      parent.rename(half, name);
    } catch (error) {
      await deleteTree(parent, half);
      throw error;
    }
  }

  async #placeVolume(volume: Volume): Promise<void> {
    using old = openTop(this.#context, volume);
    using parent = openVolumes(this.#context, volume.kind);
    const beside = temporaryName();
    try {
      await this.#assemble('', parent, beside, false);
      using fresh = parent.child(beside);
      if (volume.kind === 'container') fresh.takeOver(topMode(volume.kind));
      await this.#context.operations.succeed(old, fresh);
      parent.exchange(beside, volume.name);
    } catch (error) {
      await deleteTree(parent, beside);
      throw error;
    }
    destroyLater(this.#context, volumeFolders[volume.kind], beside);
  }

  [Symbol.asyncDispose](): Promise<void> {
    destroyLater(this.#context, '.', this.#name);
    return Promise.resolve();
  }

  /** Snapshots what was received, because a read-only subvolume cannot change its parent folder (EROFS). */
  async #assemble(snapshot: string, parent: Folder, name: string, readOnly: boolean): Promise<void> {
    const parts = this.#received.filter(({ tree }) => tree.snapshot === snapshot);
    const [top, ...nested] = parts;
    if (top?.tree.path !== '/') throw new ApiError('invalid-argument', 'The transfer holds no top of a volume');
    using cage = this.#open();
    using source = cage.child(top.place);
    await snapshotTree(source, parent, name, false);
    using made = parent.child(name);
    for (const { tree, place } of nested) {
      using inner = cage.child(place);
      using folder = made.child(path.dirname(relative(tree)));
      folder.removeEmpty(path.basename(tree.path));
      await kernel.btrfsSnapshot(inner.descriptor, folder.descriptor, path.basename(tree.path), false);
    }
    for (const { tree } of parts.toReversed()) {
      using subvolume = made.child(relative(tree));
      if (readOnly && tree.uuid !== '') await kernel.btrfsSetReceived(subvolume.descriptor, plain(tree.uuid));
      if (readOnly || tree.readonly) await kernel.btrfsSetReadOnly(subvolume.descriptor, readOnly || tree.path !== '/');
    }
  }

  /**
   * LXD lists trees by their own UUIDs, while its streams may have those that they were once received by: what a stream
   * makes goes by both, and the first tree that it names, its parent, is the one listed before it.
   */
  #renaming(tree: StreamTree, parent: StreamTree | undefined): Renaming {
    let listed = parent?.uuid;
    return {
      own: uuid => {
        const fresh = this.#rename(uuid);
        if (tree.uuid !== '') this.#renamed.set(plain(tree.uuid), fresh);
        return fresh;
      },
      known: async uuid => {
        const found = this.#renamed.get(uuid) ?? (await this.#takeIn(uuid, uuid));
        const alias = found === undefined && listed ? plain(listed) : undefined;
        listed = undefined;
        return found ?? (alias && (this.#renamed.get(alias) ?? (await this.#takeIn(alias, uuid))));
      },
    };
  }

  /** Copies an offered tree to where the stream, which calls it `calledBy`, can see it; undefined when there is none. */
  async #takeIn(uuid: string, calledBy: string): Promise<string | undefined> {
    const offered = this.#offered.get(uuid);
    if (!offered) return undefined;
    using top = openTop(this.#context, offered.snapshot);
    using tree = top.child(offered.relative);
    using cage = this.#open();
    const name = this.#nextName('known');
    await kernel.btrfsSnapshot(tree.descriptor, cage.descriptor, name, false);
    using copy = cage.child(name);
    const renamed = this.#rename(calledBy);
    await kernel.btrfsSetReceived(copy.descriptor, renamed);
    await kernel.btrfsSetReadOnly(copy.descriptor, true);
    return renamed;
  }

  /** A UUID of this receiver's own. */
  #rename(uuid: string): string {
    const fresh = randomBytes(16).toString('hex');
    this.#renamed.set(uuid, fresh);
    return fresh;
  }

  #nextName(word: string): string {
    this.#counter += 1;
    return `${word}-${String(this.#counter)}`;
  }
  #counter = 0;

  #open(): Folder {
    return Folder.open(path.join(this.#context.mountPoint, this.#name));
  }
}

/** Throws "invalid-argument" for a path that is not plainly below the volume. */
function relative(tree: StreamTree): string {
  const parts = tree.path.split('/');
  const bad = parts[0] !== '' || (tree.path !== '/' && parts.slice(1).some(part => ['', '.', '..'].includes(part)));
  if (bad || tree.path.includes('\0')) throw new ApiError('invalid-argument', 'Invalid path of a subvolume');
  return tree.path === '/' ? '.' : tree.path.slice(1);
}

/** Throws "invalid-argument" for what is no UUID. */
function plain(uuid: string): string {
  const text = uuid.replaceAll('-', '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(text)) throw new ApiError('invalid-argument', 'Invalid UUID of a subvolume');
  return text;
}
