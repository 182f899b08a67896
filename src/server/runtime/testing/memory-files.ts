import path from 'node:path';
import { Readable } from 'node:stream';
import { ApiError, notFound } from '#api/error.ts';
import type {
  FileAccess,
  FileChange,
  FileEntry,
  FileHandle,
  FileOwner,
  FileServer,
  NamedEntry,
  RestoredFiles,
  RestoreOptions,
} from '../runtime.ts';

interface Node {
  kind: FileEntry['kind'];
  content: Buffer;
  target: string;
  owner: FileOwner;
}

const rootOwner = (mode: number): FileOwner => ({ uid: 0, gid: 0, mode });

/** A tree of files in memory. */
export class MemoryFiles implements FileServer {
  readonly #nodes = new Map<string, Node>([['/', directory(rootOwner(0o755))]]);

  constructor() {
    for (const folder of ['/tmp', '/root', '/etc']) this.#nodes.set(folder, directory(rootOwner(0o755)));
  }

  stat(file: string, followLinks = false): Promise<FileEntry> {
    return this.#then(() => entryOf(this.#get(file, followLinks)));
  }

  read(file: string): Promise<{ readonly entry: FileEntry; readonly stream: Readable }> {
    return this.#then(() => {
      const node = this.#get(file, true);
      if (node.kind !== 'file') throw new ApiError('invalid-argument', `"${file}" is no regular file`);
      return { entry: entryOf(node), stream: Readable.from(node.content.length > 0 ? [node.content] : []) };
    });
  }

  readLink(file: string): Promise<string> {
    return this.#then(() => {
      const node = this.#get(file, false);
      if (node.kind !== 'symlink') throw new ApiError('invalid-argument', `"${file}" is no symbolic link`);
      return node.target;
    });
  }

  list(file: string): Promise<readonly string[]> {
    return this.#then(() => {
      if (this.#get(file, true).kind !== 'directory')
        throw new ApiError('invalid-argument', `"${file}" is no directory`);
      return this.#children(file)
        .map(child => path.posix.basename(child))
        .sort();
    });
  }

  async listEntries(file: string): Promise<readonly NamedEntry[]> {
    const names = await this.list(file);
    return names.map(name => {
      const node = this.#get(path.posix.join(file, name), false);
      return { name, ...entryOf(node), ...(node.kind === 'symlink' && { target: node.target }) };
    });
  }

  async write(file: string, content: Readable, owner: Partial<FileOwner>, append = false): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of content) parts.push(Buffer.from(part as Buffer));
    this.#get(path.posix.dirname(normal(file)), true);
    const before = this.#nodes.get(normal(file));
    if (before && before.kind === 'directory') throw new ApiError('invalid-argument', `"${file}" is a directory`);
    this.#nodes.set(normal(file), {
      kind: 'file',
      content: Buffer.concat(append && before ? [before.content, ...parts] : parts),
      target: '',
      owner: { ...rootOwner(0o644), ...before?.owner, ...owner },
    });
  }

  makeDirectory(file: string, owner: Partial<FileOwner>): Promise<void> {
    return this.#then(() => {
      this.#get(path.posix.dirname(normal(file)), true);
      if (!this.#nodes.has(normal(file))) this.#nodes.set(normal(file), directory({ ...rootOwner(0o755), ...owner }));
    });
  }

  makeLink(file: string, target: string): Promise<void> {
    return this.#then(() => {
      this.#get(path.posix.dirname(normal(file)), true);
      this.#nodes.set(normal(file), { kind: 'symlink', content: Buffer.alloc(0), target, owner: rootOwner(0o777) });
    });
  }

  remove(file: string, recursive = false): Promise<void> {
    return this.#then(() => {
      this.#get(file, false);
      if (this.#children(file).length > 0 && !recursive) {
        throw new ApiError('invalid-argument', `Cannot remove "${file}": it is not empty`);
      }
      for (const each of this.#nodes.keys()) if (each.startsWith(`${normal(file)}/`)) this.#nodes.delete(each);
      this.#nodes.delete(normal(file));
    });
  }

  open(file: string, access: FileAccess, owner: Partial<FileOwner>): Promise<FileHandle> {
    return this.#then(() => {
      const there = this.#nodes.get(normal(file));
      if (there && access.create && access.exclusive) throw new ApiError('already-exists', `"${file}" exists already`);
      if (!there && access.create) {
        this.#get(path.posix.dirname(normal(file)), true);
        const content = Buffer.alloc(0);
        this.#nodes.set(normal(file), { kind: 'file', content, target: '', owner: { ...rootOwner(0o644), ...owner } });
      }
      const node = this.#get(file, true);
      if (node.kind !== 'file') throw new ApiError('invalid-argument', `"${file}" is no regular file`);
      if (access.truncate) node.content = Buffer.alloc(0);
      return new MemoryHandle(node);
    });
  }

  setAttributes(file: string, { owner, size }: FileChange, followLinks = true): Promise<void> {
    return this.#then(() => {
      const node = this.#get(file, followLinks);
      node.owner = { ...node.owner, ...owner };
      if (size !== undefined) node.content = resized(node.content, size);
    });
  }

  rename(from: string, to: string, replace: boolean): Promise<void> {
    return this.#then(() => {
      this.#get(from, false);
      if (!replace && this.#nodes.has(normal(to))) throw new ApiError('already-exists', `"${to}" exists already`);
      const moved = [...this.#nodes].filter(([each]) => each === normal(from) || each.startsWith(`${normal(from)}/`));
      for (const [each, node] of moved) {
        this.#nodes.delete(each);
        this.#nodes.set(normal(to) + each.slice(normal(from).length), node);
      }
    });
  }

  async restore(source: FileServer, from: string, to: string, { keep }: RestoreOptions): Promise<RestoredFiles> {
    if (!(source instanceof MemoryFiles)) throw new TypeError('Only files in memory can be restored from');
    const copied = [...source.#nodes].filter(([each]) => each === normal(from) || each.startsWith(`${normal(from)}/`));
    source.#get(from, false);
    const kept = keep && this.#nodes.has(normal(to)) ? `${path.posix.basename(to)}.~1~` : undefined;
    if (kept !== undefined) await this.rename(to, path.posix.join(path.posix.dirname(to), kept), false);
    else if (this.#nodes.has(normal(to))) await this.remove(to, true);
    for (const [each, node] of copied) this.#nodes.set(normal(to) + each.slice(normal(from).length), { ...node });
    return { files: copied.length, bytes: 0, leftOut: 0, ...(kept !== undefined && { kept }) };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #then<T>(work: () => T): Promise<T> {
    return Promise.resolve().then(work);
  }

  #get(file: string, followLinks: boolean, depth = 0): Node {
    const node = this.#nodes.get(normal(file));
    if (!node || depth > 40) throw notFound('File', file);
    if (node.kind !== 'symlink' || !followLinks) return node;
    return this.#get(path.posix.resolve(path.posix.dirname(normal(file)), node.target), true, depth + 1);
  }

  #children(file: string): string[] {
    return [...this.#nodes.keys()].filter(each => each !== '/' && path.posix.dirname(each) === normal(file));
  }
}

class MemoryHandle implements FileHandle {
  readonly #node: Node;

  constructor(node: Node) {
    this.#node = node;
  }

  read(offset: number, length: number): Promise<Buffer> {
    return Promise.resolve(this.#node.content.subarray(offset, offset + length));
  }

  write(offset: number, content: Buffer): Promise<void> {
    const whole = resized(this.#node.content, Math.max(this.#node.content.length, offset + content.length));
    content.copy(whole, offset);
    this.#node.content = whole;
    return Promise.resolve();
  }

  size(): Promise<number> {
    return Promise.resolve(this.#node.content.length);
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function resized(content: Buffer, size: number): Buffer {
  return Buffer.concat([content, Buffer.alloc(Math.max(0, size - content.length))], size);
}

const normal = (file: string): string => path.posix.resolve('/', file);

const directory = (owner: FileOwner): Node => ({ kind: 'directory', content: Buffer.alloc(0), target: '', owner });

function entryOf({ kind, content, owner }: Node): FileEntry {
  const identity = `${JSON.stringify(owner)} ${content.toString('base64')}`;
  return { kind, ...owner, size: content.length, modified: 0, identity };
}
