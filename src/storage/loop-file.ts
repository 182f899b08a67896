import { open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { ApiError, alreadyExists } from '#api/error.ts';

const gib = 2 ** 30;

/** Size of a loop file that nobody chose, by LXD's rule: a fifth of the free space, at least 5 and at most 30 GiB. */
export async function defaultLoopSize(loopFile: string): Promise<string> {
  const facts = await statfs(await nearestFolder(path.dirname(loopFile)));
  const fifth = Math.floor((facts.bavail * facts.bsize) / 5 / gib);
  return `${String(Math.min(30, Math.max(5, fifth)))}GiB`;
}

/** Makes a sparse file of this many bytes that only root may read; it bears its name when `format` has succeeded. */
export async function createLoopFile(
  file: string,
  bytes: number,
  format: (half: string) => Promise<void>,
): Promise<void> {
  if (await exists(file)) throw alreadyExists('Loop file', file);
  const half = halfMade(file);
  await rm(half, { force: true });
  try {
    const handle = await open(half, 'wx', 0o600);
    try {
      await handle.truncate(bytes);
    } finally {
      await handle.close();
    }
    await format(half);
    await rename(half, file);
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  }
}

/** Succeeds when there is none. */
export async function deleteLoopFile(file: string): Promise<void> {
  await rm(halfMade(file), { force: true });
  await rm(file, { force: true });
}

/** The loop device that the file is attached to, for instance by a mount in another namespace; /sys/block/loop*. */
export async function findLoopDevice(file: string): Promise<string | undefined> {
  const devices = (await readdir('/sys/block')).filter(name => name.startsWith('loop'));
  for (const name of devices) {
    const backing = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '');
    if (backing.trimEnd() === file) return `/dev/${name}`;
  }
  return undefined;
}

/** Makes the file larger; throws "unsupported" when that would make it smaller. */
export async function growLoopFile(file: string, bytes: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    if ((await handle.stat()).size > bytes) {
      throw new ApiError('unsupported', `Cannot make loop file "${file}" smaller than it is`);
    }
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
}

function halfMade(file: string): string {
  return `${file}.temporary`;
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}

async function nearestFolder(folder: string): Promise<string> {
  return (await exists(folder)) ? folder : await nearestFolder(path.dirname(folder));
}
