import { ApiError } from '#api/error.ts';
import type { Log } from '#base/log.ts';
import { HelperFileServer } from './file-server.ts';
import { HelperConnection, HelperFailure } from './helper-connection.ts';
import { type Idmap, idmapLines } from './idmap.ts';
import type { FileServer, FilesTarget } from './runtime.ts';

/** Milliseconds that a process without users stays, because file requests come in rows. */
const idleMs = 10_000;

/** Where the files of an instance are reached: through its init when it runs, else through its volume. */
export interface FilesPlace extends FilesTarget {
  readonly running: { readonly initPid: number; readonly startTime: number } | undefined;
}

interface Entry {
  readonly place: string;
  readonly ready: Promise<HelperConnection>;
  users: number;
  brief: boolean;
  idle: NodeJS.Timeout | undefined;
}

/** File server processes: one per instance in use. A change between running and stopped starts a new one. */
export class FileServers {
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #idleMs: number;

  constructor(log: Log, options: { readonly idleMs?: number } = {}) {
    this.#log = log;
    this.#idleMs = options.idleMs ?? idleMs;
  }

  /** Gives the files of an instance; the caller closes what it got. */
  async open(target: FilesPlace): Promise<FileServer> {
    const place = JSON.stringify([target.running ?? target.rootfs, target.idmap, target.hostIds, target.readOnly]);
    let entry = this.#entries.get(target.id);
    if (entry && entry.place !== place) {
      await this.release(target.id);
      entry = this.#entries.get(target.id);
    }
    entry ??= this.#start(target, place);
    clearTimeout(entry.idle);
    entry.users++;
    entry.brief &&= target.brief === true;
    try {
      const connection = await entry.ready;
      if (connection.open) return new HelperFileServer(connection, () => this.#left(target.id, entry));
    } catch (error) {
      this.#drop(target.id, entry);
      throw enterError(error, target);
    }
    this.#drop(target.id, entry);
    return await this.open(target);
  }

  /** Ends the process of an instance, if there is one: its mounts must go before its volume can. */
  async release(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#drop(id, entry);
    const connection = await entry.ready.catch(() => undefined);
    await connection?.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map(id => this.release(id)));
  }

  #start(target: FilesPlace, place: string): Entry {
    const ready = startServer(target, this.#log);
    const entry: Entry = { place, ready, users: 0, brief: target.brief === true, idle: undefined };
    entry.ready.catch(() => undefined); // told to those who wait for it
    this.#entries.set(target.id, entry);
    return entry;
  }

  #left(id: string, entry: Entry): void {
    entry.users--;
    if (entry.users > 0 || this.#entries.get(id) !== entry) return;
    entry.idle = setTimeout(() => void this.release(id), entry.brief ? 0 : this.#idleMs).unref();
  }

  #drop(id: string, entry: Entry): void {
    clearTimeout(entry.idle);
    if (this.#entries.get(id) === entry) this.#entries.delete(id);
  }
}

async function startServer(target: FilesPlace, log: Log): Promise<HelperConnection> {
  const { running, idmap, hostIds, readOnly } = target;
  const maps = [mapText(idmap, 'uid'), mapText(idmap, 'gid')];
  const view = [...maps, ...(hostIds ? ['host-ids'] : []), ...(readOnly ? ['read-only'] : [])];
  const place = running
    ? ['running', String(running.initPid), String(running.startTime)]
    : ['stopped', target.rootfs, ...view];
  const connection = new HelperConnection(['files', '3', ...place], log);
  try {
    await connection.greeting();
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** In lines as user_namespaces(7) has them; none when there is no map. */
function mapText(idmap: Idmap | undefined, kind: 'uid' | 'gid'): string {
  const lines = idmap ? idmapLines(idmap, kind) : [];
  return lines.map(({ nsId, hostId, size }) => `${String(nsId)} ${String(hostId)} ${String(size)}\n`).join('');
}

function enterError(error: unknown, target: FilesPlace): unknown {
  if (!(error instanceof HelperFailure)) return error;
  if (error.code === 'ESRCH')
    return new ApiError('busy', `Instance "${target.id}" is just stopping; try again`, { cause: error });
  return new ApiError('internal', `Cannot reach the files of "${target.id}": ${error.message}`, { cause: error });
}
