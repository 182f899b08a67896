import path from 'node:path';
import type { Duplex } from 'node:stream';
import { ApiError } from '#api/error.ts';
import type { FileEntry, FileServer } from '../runtime/runtime.ts';
import { attributesOf, changeOf, longName } from './entry.ts';
import { Handles, type OpenThing } from './handles.ts';
import { packetsOf } from './packet-stream.ts';
import {
  BadPacket,
  openBits,
  PacketReader,
  PacketWriter,
  replies,
  requests,
  sftpVersion,
  statuses,
} from './packets.ts';

/** Most bytes of one answer to READ, and most names of one to READDIR. */
const mostBytes = 2 ** 18;
const mostNames = 100;

const extensions = ['posix-rename@openssh.com', 'fsync@openssh.com'];

/** One client's session over the files of one instance, until its stream ends. Requests are answered in order. */
export async function serveSftp(stream: Duplex, files: FileServer): Promise<void> {
  const session = new SftpSession(files);
  try {
    for await (const packet of packetsOf(stream)) {
      const answer = await session.answer(packet);
      if (!stream.write(answer)) await drained(stream);
    }
  } catch (error) {
    if (!(error instanceof BadPacket)) throw error;
  } finally {
    await session.close();
    stream.destroy();
  }
}

async function drained(stream: Duplex): Promise<void> {
  await new Promise<void>(resolve => {
    stream.once('drain', resolve);
    stream.once('close', resolve);
  });
}

/** Requests and their answers; every failure is an answer too. */
export class SftpSession {
  readonly #files: FileServer;
  readonly #handles = new Handles();

  constructor(files: FileServer) {
    this.#files = files;
  }

  /** Throws BadPacket for what is no request at all: the session cannot go on then. */
  async answer(packet: Buffer): Promise<Buffer> {
    const reader = new PacketReader(packet);
    const type = reader.u8();
    if (type === requests.init) return greeting();
    const id = reader.u32();
    try {
      const answer = await this.#dispatch(type, id, reader);
      return (answer ?? status(id, statuses.unsupported, 'The request is not supported')).packet();
    } catch (error) {
      if (error instanceof BadPacket) return status(id, statuses.badMessage, error.message).packet();
      return status(id, statusOf(error), error instanceof Error ? error.message : String(error)).packet();
    }
  }

  async close(): Promise<void> {
    await this.#handles.closeAll();
  }

  /** Undefined for a type that is not known. */
  #dispatch(type: number, id: number, request: PacketReader): Promise<PacketWriter> | undefined {
    switch (type) {
      case requests.open:
        return this.#open(id, request);
      case requests.close:
        return this.#close(id, request);
      case requests.read:
        return this.#read(id, request);
      case requests.write:
        return this.#write(id, request);
      case requests.lstat:
        return this.#stat(id, request, false);
      case requests.stat:
        return this.#stat(id, request, true);
      case requests.fstat:
        return this.#statHandle(id, request);
      case requests.setstat:
        return this.#setAttributes(id, request);
      case requests.fsetstat:
        return this.#setHandleAttributes(id, request);
      case requests.opendir:
        return this.#openDirectory(id, request);
      case requests.readdir:
        return this.#readDirectory(id, request);
      case requests.remove:
      case requests.rmdir:
        return this.#remove(id, request);
      case requests.mkdir:
        return this.#makeDirectory(id, request);
      case requests.realpath:
        return this.#realPath(id, request);
      case requests.rename:
        return this.#rename(id, request, false);
      case requests.readlink:
        return this.#readLink(id, request);
      case requests.symlink:
        return this.#makeLink(id, request);
      case requests.extended:
        return this.#extended(id, request);
      default:
        return undefined;
    }
  }

  async #open(id: number, request: PacketReader): Promise<PacketWriter> {
    const path = absolute(request.text());
    const flags = request.u32();
    const { owner = {} } = changeOf(request.attributes());
    const has = (bit: number): boolean => (flags & bit) !== 0;
    const access = {
      read: has(openBits.read),
      write: has(openBits.write),
      append: has(openBits.append),
      create: has(openBits.create),
      truncate: has(openBits.truncate),
      exclusive: has(openBits.exclusive),
    };
    const file = await this.#files.open(path, access, owner);
    return await this.#newHandle(id, { kind: 'file', path, file, append: access.append });
  }

  async #newHandle(id: number, thing: OpenThing): Promise<PacketWriter> {
    const handle = this.#handles.add(thing);
    if (handle !== undefined) return reply(replies.handle, id).text(handle);
    if (thing.kind === 'file') await thing.file.close();
    return status(id, statuses.failure, 'Too many files are open');
  }

  async #close(id: number, request: PacketReader): Promise<PacketWriter> {
    const known = await this.#handles.close(request.text());
    return known ? status(id, statuses.ok, '') : status(id, statuses.failure, 'No such handle');
  }

  async #read(id: number, request: PacketReader): Promise<PacketWriter> {
    const { file } = this.#file(request.text());
    const offset = request.u64();
    const content = await file.read(offset, Math.min(request.u32(), mostBytes));
    return content.length > 0 ? reply(replies.data, id).bytes(content) : status(id, statuses.endOfFile, '');
  }

  async #write(id: number, request: PacketReader): Promise<PacketWriter> {
    const { file, append } = this.#file(request.text());
    const offset = request.u64();
    // the kernel appends whatever the offset is; an offset of 0 says so to readers of this
    await file.write(append ? 0 : offset, request.bytes());
    return status(id, statuses.ok, '');
  }

  async #stat(id: number, request: PacketReader, followLinks: boolean): Promise<PacketWriter> {
    const entry = await this.#files.stat(absolute(request.text()), followLinks);
    return reply(replies.attributes, id).attributes(attributesOf(entry));
  }

  async #statHandle(id: number, request: PacketReader): Promise<PacketWriter> {
    const thing = this.#thing(request.text());
    const attributes = attributesOf(await this.#files.stat(thing.path, true));
    const size = thing.kind === 'file' ? { size: await thing.file.size() } : {};
    return reply(replies.attributes, id).attributes({ ...attributes, ...size });
  }

  async #setAttributes(id: number, request: PacketReader): Promise<PacketWriter> {
    const path = absolute(request.text());
    await this.#files.setAttributes(path, changeOf(request.attributes()));
    return status(id, statuses.ok, '');
  }

  async #setHandleAttributes(id: number, request: PacketReader): Promise<PacketWriter> {
    const thing = this.#thing(request.text());
    await this.#files.setAttributes(thing.path, changeOf(request.attributes()));
    return status(id, statuses.ok, '');
  }

  async #openDirectory(id: number, request: PacketReader): Promise<PacketWriter> {
    const path = absolute(request.text());
    const names = await this.#files.list(path);
    return await this.#newHandle(id, { kind: 'directory', path, names: ['.', '..', ...names] });
  }

  async #readDirectory(id: number, request: PacketReader): Promise<PacketWriter> {
    const thing = this.#thing(request.text());
    if (thing.kind !== 'directory') return status(id, statuses.failure, 'The handle is no directory');
    const names = thing.names.slice(0, mostNames);
    thing.names = thing.names.slice(mostNames);
    if (names.length === 0) return status(id, statuses.endOfFile, '');
    const entries = await Promise.all(names.map(name => this.#look(thing.path, name)));
    const found = entries.filter(entry => entry !== undefined);
    const answer = reply(replies.name, id).u32(found.length);
    for (const { name, entry } of found) answer.text(name).text(longName(name, entry)).attributes(attributesOf(entry));
    return answer;
  }

  /** Undefined when the file was removed since its name was read. */
  async #look(folder: string, name: string): Promise<{ readonly name: string; readonly entry: FileEntry } | undefined> {
    try {
      return { name, entry: await this.#files.stat(absolute(`${folder}/${name}`)) };
    } catch (error) {
      if (ApiError.is(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async #makeDirectory(id: number, request: PacketReader): Promise<PacketWriter> {
    const path = absolute(request.text());
    const { owner = {} } = changeOf(request.attributes());
    const there = await this.#files.stat(path).catch(() => undefined);
    if (there) return status(id, statuses.failure, `"${path}" exists already`);
    await this.#files.makeDirectory(path, owner);
    return status(id, statuses.ok, '');
  }

  /** Only the text: links are resolved by whatever opens the path. */
  async #realPath(id: number, request: PacketReader): Promise<PacketWriter> {
    const path = absolute(request.text());
    return await Promise.resolve(reply(replies.name, id).u32(1).text(path).text(path).attributes({}));
  }

  async #readLink(id: number, request: PacketReader): Promise<PacketWriter> {
    const target = await this.#files.readLink(absolute(request.text()));
    return reply(replies.name, id).u32(1).text(target).text(target).attributes({});
  }

  /** OpenSSH sends the target first, against the draft, and everybody follows it. */
  async #makeLink(id: number, request: PacketReader): Promise<PacketWriter> {
    const target = request.text();
    await this.#files.makeLink(absolute(request.text()), target);
    return status(id, statuses.ok, '');
  }

  async #extended(id: number, request: PacketReader): Promise<PacketWriter> {
    const name = request.text();
    if (name === 'posix-rename@openssh.com') return await this.#rename(id, request, true);
    if (name !== 'fsync@openssh.com') return status(id, statuses.unsupported, `"${name}" is not supported`);
    await this.#file(request.text()).file.sync();
    return status(id, statuses.ok, '');
  }

  async #rename(id: number, request: PacketReader, replace: boolean): Promise<PacketWriter> {
    const from = absolute(request.text());
    await this.#files.rename(from, absolute(request.text()), replace);
    return status(id, statuses.ok, '');
  }

  async #remove(id: number, request: PacketReader): Promise<PacketWriter> {
    await this.#files.remove(absolute(request.text()));
    return status(id, statuses.ok, '');
  }

  #thing(handle: string): OpenThing {
    const thing = this.#handles.get(handle);
    if (!thing) throw new ApiError('invalid-argument', 'No such handle');
    return thing;
  }

  #file(handle: string): OpenThing & { readonly kind: 'file' } {
    const thing = this.#thing(handle);
    if (thing.kind !== 'file') throw new ApiError('invalid-argument', 'The handle is no file');
    return thing;
  }
}

function greeting(): Buffer {
  const writer = new PacketWriter().u8(replies.version).u32(sftpVersion);
  for (const name of extensions) writer.text(name).text('1');
  return writer.packet();
}

function reply(type: number, id: number): PacketWriter {
  return new PacketWriter().u8(type).u32(id);
}

function status(id: number, code: number, message: string): PacketWriter {
  return reply(replies.status, id).u32(code).text(message).text('en');
}

function statusOf(error: unknown): number {
  if (ApiError.is(error, 'not-found')) return statuses.noSuchFile;
  if (ApiError.is(error, 'permission-denied')) return statuses.permissionDenied;
  return statuses.failure;
}

/** Paths are relative to the root of the instance. */
function absolute(text: string): string {
  return path.posix.resolve('/', text);
}
