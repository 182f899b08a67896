import { Writable } from 'node:stream';
import { type TreeChange, sorted } from './tree-change.ts';

const magic = Buffer.from('btrfs-stream\0');
const largest = 2 ** 24;

/** Commands and attributes of a send stream (linux/fs/btrfs/send.h). */
const made = new Set([3, 4, 5, 6, 7, 8]); // mkfile, mkdir, mknod, mkfifo, mksock, symlink
const altered = new Set([13, 14, 15, 16, 17, 18, 19, 22]); // xattrs, write, clone, truncate, chmod, chown, extent
const [rename, link, unlink, rmdir] = [9, 10, 11, 12];
const [pathAttribute, pathToAttribute, pathLinkAttribute] = [15, 16, 17];

/** Something that has, or had, a name. */
interface Item {
  /** where it was in the older state; undefined when it is new */
  readonly origin: string | undefined;
  /** where the file that a new name was given to was: when that name goes, it was a rename */
  readonly linkOf?: string | undefined;
  changed: boolean;
}

/**
 * Reads the stream of `btrfs send --no-data` from one state to another and tells what it would do, by replaying its
 * names: new things get temporary names first, and a replaced file is one that goes and one that comes.
 */
export class StreamDiff extends Writable {
  #pending: Buffer = Buffer.alloc(0);
  #begun = false;
  /** what was touched, by its present path */
  readonly #items = new Map<string, Item>();
  readonly #removed = new Set<string>();

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    try {
      this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
      this.#read();
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  get changes(): readonly TreeChange[] {
    const changes = new Map<string, TreeChange>();
    for (const path of this.#removed) changes.set(path, { path, kind: 'removed' });
    for (const [path, { origin, linkOf, changed }] of this.#items) {
      const from = linkOf !== undefined && changes.get(linkOf)?.kind === 'removed' ? linkOf : undefined;
      if (from !== undefined && !changes.has(path)) {
        changes.delete(from);
        changes.set(path, { path, kind: 'renamed', from });
      } else if (origin === undefined) changes.set(path, { path, kind: changes.has(path) ? 'changed' : 'added' });
      else if (origin !== path && origin !== this.#inherited(path))
        changes.set(path, { path, kind: 'renamed', from: origin });
      else if (changed) changes.set(path, { path, kind: 'changed' });
    }
    return sorted([...changes.values()].filter(({ path }) => path !== ''));
  }

  #read(): void {
    let offset = 0;
    if (!this.#begun) {
      if (this.#pending.length < magic.length + 4) return;
      if (!this.#pending.subarray(0, magic.length).equals(magic)) throw new Error('This is no send stream');
      this.#begun = true;
      offset = magic.length + 4;
    }
    while (this.#pending.length - offset >= 10) {
      const length = this.#pending.readUInt32LE(offset);
      if (length > largest) throw new Error('A command of the send stream is too long');
      if (this.#pending.length - offset < 10 + length) break;
      const command = this.#pending.readUInt16LE(offset + 4);
      this.#replay(command, this.#pending.subarray(offset + 10, offset + 10 + length));
      offset += 10 + length;
    }
    this.#pending = Buffer.from(this.#pending.subarray(offset));
  }

  #replay(command: number, body: Buffer): void {
    const path = text(body, pathAttribute);
    if (path === undefined) return;
    if (made.has(command)) this.#items.set(path, { origin: undefined, changed: false });
    else if (command === link) {
      const linkOf = this.#item(text(body, pathLinkAttribute) ?? '').origin;
      this.#items.set(path, { origin: undefined, linkOf, changed: false });
    } else if (altered.has(command)) this.#item(path).changed = true;
    else if (command === rename) this.#rename(path, text(body, pathToAttribute) ?? '');
    else if (command === unlink || command === rmdir) {
      const { origin } = this.#item(path);
      if (origin !== undefined) this.#removed.add(origin);
      this.#items.delete(path);
    }
  }

  #rename(path: string, to: string): void {
    const item = this.#item(path);
    const inside = [...this.#items].filter(([name]) => name.startsWith(`${path}/`));
    for (const [name] of inside) this.#items.delete(name);
    this.#items.delete(path);
    this.#items.set(to, item);
    for (const [name, entry] of inside) this.#items.set(to + name.slice(path.length), entry);
  }

  #item(path: string): Item {
    let item = this.#items.get(path);
    if (!item) this.#items.set(path, (item = { origin: this.#inherited(path), changed: false }));
    return item;
  }

  /** Where a path was, by what became of the nearest folder above it. */
  #inherited(path: string): string | undefined {
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
      const above = this.#items.get(path.slice(0, cut));
      if (above) return above.origin === undefined ? undefined : above.origin + path.slice(cut);
    }
    return path;
  }
}

function text(body: Buffer, attribute: number): string | undefined {
  for (let offset = 0; offset + 4 <= body.length;) {
    const type = body.readUInt16LE(offset);
    const length = body.readUInt16LE(offset + 2);
    if (type === attribute) return body.toString('utf8', offset + 4, offset + 4 + length);
    offset += 4 + length;
  }
  return undefined;
}
