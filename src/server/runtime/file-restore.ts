import { Socket } from 'node:net';
import { kernel } from '#native/kernel.ts';
import type { HelperConnection } from './helper-connection.ts';
import { Fields, fileOperations } from './namespace-protocol.ts';
import type { RestoreOptions, RestoreProgress, RestoredFiles } from './runtime.ts';

/** sizeof struct copy_progress of native/ns/tree-copy.h */
const progressBytes = 24;
/** A copy that was told to end and does not has met a file system that hangs. */
const patienceMs = 10_000;

/** Directory that holds what is restored, and its name there. */
export interface ParentFolder {
  readonly descriptor: number;
  readonly name: string;
}

/** Lets a file server copy what is in a directory of another one. The descriptor belongs to it from here on. */
export async function restoreThrough(
  connection: HelperConnection,
  { descriptor, name }: ParentFolder,
  path: string,
  { keep, signal, onProgress }: RestoreOptions,
): Promise<RestoredFiles> {
  const [ours, theirs] = kernel.pipe();
  const progress = new Socket({ fd: ours, readable: true, writable: false });
  let patience: NodeJS.Timeout | undefined;
  // The copy ends by itself when nobody reads of its progress any more, and takes away what it has made.
  const cancel = (): void => {
    progress.destroy();
    patience = setTimeout(() => void connection.close(), patienceMs).unref();
  };
  progress.on('data', (chunk: Buffer) => onProgress?.(decodeProgress(chunk, lastRecord(chunk))));
  progress.on('error', () => undefined);
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted) cancel();
  try {
    const fields = new Fields().u32(keep ? 1 : 0).strings(name, path);
    const { payload } = await connection.request(fileOperations.restore, fields, [descriptor, theirs]);
    const kept = payload.toString('utf8', progressBytes);
    return { ...decodeProgress(payload, 0), ...(kept !== '' && { kept }) };
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    clearTimeout(patience);
    progress.destroy();
  }
}

/** Records come whole, several of them when we are slow. */
function lastRecord({ length }: Buffer): number {
  return Math.max(0, Math.floor(length / progressBytes) - 1) * progressBytes;
}

function decodeProgress(record: Buffer, at: number): RestoreProgress {
  const value = (member: number): number => Number(record.readBigUInt64LE(at + 8 * member));
  return { files: value(0), bytes: value(1), leftOut: value(2) };
}
