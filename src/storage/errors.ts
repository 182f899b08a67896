import { ApiError } from '#api/error.ts';
import { CommandError } from '#base/run-command.ts';
import type { Snapshot, Volume } from './driver.ts';
import { describeSource } from './layout.ts';

export function missing(source: Volume | Snapshot): ApiError {
  return new ApiError('not-found', `${describeSource(source)} not found`);
}

export function taken(target: Volume | Snapshot): ApiError {
  return new ApiError('already-exists', `${describeSource(target)} already exists`);
}

/** EDQUOT, which Node's own calls have no name for. */
const quotaErrno = -122;

/** Runs work that fills a pool; the kernel's and the tools' word for a full one becomes "out-of-space". */
export async function spendingSpace<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!saysFull(error)) throw error;
    throw new ApiError('out-of-space', `Failed ${what}: the storage pool or its quota is full`, { cause: error });
  }
}

function saysFull(error: unknown): boolean {
  if (error instanceof CommandError) return /No space left on device|Disk quota exceeded/.test(error.stderr);
  if (!(error instanceof Error)) return false;
  const { code, errno } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' || errno === quotaErrno;
}
