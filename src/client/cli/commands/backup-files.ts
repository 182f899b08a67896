import { createReadStream, createWriteStream, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { Readable, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import type { Client } from '../../client.ts';
import type { RawAnswer } from '../../http.ts';
import { OperationHandle } from '../../operation-handle.ts';
import { ProgressLine } from '../output/progress.ts';
import type { Session } from '../session.ts';

export interface BackupExport {
  /** of the instance or volume */
  readonly url: string;
  readonly name: string;
  /** file, "-", or empty for a name of its own */
  readonly target: string;
  readonly request: Readonly<Record<string, unknown>>;
}

/** Writes a backup to a file; one that could not be finished leaves none. */
export async function exportBackup(session: Session, client: Client, wish: BackupExport): Promise<void> {
  const { value: server } = await client.server.get();
  const kept = server.api_extensions.includes('direct_backup') ? undefined : await keepBackup(session, client, wish);
  try {
    const answer = kept
      ? await client.transport.download(`${kept}/export`)
      : await client.transport.download(`${wish.url}/backups`, {
          method: 'POST',
          body: wish.request,
          headers: { accept: 'application/octet-stream' },
        });
    if (wish.target === '-') await pipeline(answer.body, session.streams.stdout, { end: false });
    else await saveBackup(session, answer, wish);
  } finally {
    if (kept) await finishCall(session, client, 'DELETE', kept);
  }
}

/** Servers without direct backups make one that is kept, and deleted afterwards. */
async function keepBackup(session: Session, client: Client, { url, request }: BackupExport): Promise<string> {
  const name = `export-${Date.now().toString(36)}`;
  const expires = new Date(Date.now() + 24 * 3600 * 1000).toISOString();
  await finishCall(session, client, 'POST', `${url}/backups`, { ...request, name, expires_at: expires });
  return `${url}/backups/${name}`;
}

async function finishCall(
  session: Session,
  client: Client,
  method: string,
  url: string,
  body?: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { operation } = await client.transport.call(method, url, body ? { body } : {});
  await session.finish(Promise.resolve(operation && new OperationHandle(client.transport, operation)), 'Backing up');
}

async function saveBackup(session: Session, answer: RawAnswer, { name, target }: BackupExport): Promise<void> {
  const half = `${target || name}.partial`;
  const counter = new Counter(session, `Exporting ${name}`, Number(answer.headers['content-length'] ?? 0));
  try {
    const body = Readable.from(answer.body, { objectMode: false, highWaterMark: 2 ** 18 });
    await pipeline(body, counter, createWriteStream(half, { mode: 0o600 }));
    renameSync(half, target || name + counter.ending);
  } catch (error) {
    rmSync(half, { force: true });
    if (ApiError.is(error)) throw error;
    const message = `Failed writing the backup of "${name}": ${(error as Error).message}`;
    throw new ApiError('unavailable', message, { cause: error });
  } finally {
    counter.clear();
  }
  session.note('Backup exported successfully!');
}

/** Sends a backup; the server makes what is in it. */
export async function importBackup(
  session: Session,
  client: Client,
  wish: {
    readonly url: string;
    readonly file: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly title: string;
  },
): Promise<void> {
  const { file, title } = wish;
  if (file !== '-' && !existsSync(file)) throw new ApiError('not-found', `File "${file}" not found`);
  const size = file === '-' ? 0 : statSync(file).size;
  const source = file === '-' ? session.streams.stdin : createReadStream(file, { highWaterMark: 2 ** 18 });
  const counter = new Counter(session, title, size);
  const upload = source.on('error', (error: Error) => counter.destroy(error)).pipe(counter);
  const headers = { ...wish.headers, ...(file === '-' ? {} : { 'content-length': String(size) }) };
  try {
    const { operation } = await client.transport.call('POST', wish.url, { upload, headers });
    counter.clear();
    await session.finish(Promise.resolve(operation && new OperationHandle(client.transport, operation)), title);
  } finally {
    counter.clear();
  }
}

/** Passes bytes on, shows how many, and knows by the first ones what they are. */
class Counter extends Transform {
  readonly #line: ProgressLine | undefined;
  readonly #title: string;
  readonly #total: number;
  #passed = 0;
  ending = '.tar';

  constructor(session: Session, title: string, total: number) {
    super({ highWaterMark: 2 ** 18 });
    this.#line = session.showsProgress ? new ProgressLine(session.streams.stderr) : undefined;
    this.#title = title;
    this.#total = total;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#passed === 0) this.ending = endingOf(chunk);
    this.#passed += chunk.length;
    const percent = this.#total > 0 ? `${String(Math.floor((100 * this.#passed) / this.#total))}% ` : '';
    this.#line?.show(`${this.#title}: ${percent}${formatSize(this.#passed)}`);
    done(null, chunk);
  }

  clear(): void {
    this.#line?.clear();
  }
}

const endings: readonly (readonly [magic: string, ending: string])[] = [
  ['1f8b', '.tar.gz'],
  ['28b52ffd', '.tar.zst'],
  ['fd377a585a00', '.tar.xz'],
  ['425a68', '.tar.bz2'],
];

function endingOf(head: Buffer): string {
  const start = head.toString('hex', 0, 6);
  return endings.find(([magic]) => start.startsWith(magic))?.[1] ?? '.tar';
}
