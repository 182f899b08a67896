import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { rebuildCgroupTree } from './cgroup-tree.ts';
import { giveToRoot, readCheckpoint } from './checkpoint-files.ts';
import { criuLogFile, criuSettingsFile, type CheckpointPlaces } from './checkpoint-places.ts';
import { listenToCriu } from './criu-actions.ts';
import { criuErrors } from './criu-errors.ts';
import { restoreByLxc, type StartPlace } from './lxc-helper.ts';
import type { ContainerSpec } from './runtime.ts';

/** Starts a container from its state and returns the pid of its init. The state stays whatever happens. */
export async function restoreProcesses(
  { id, idmap }: Pick<ContainerSpec, 'id' | 'idmap'>,
  images: string,
  places: CheckpointPlaces,
  place: StartPlace,
  signal?: AbortSignal,
): Promise<number> {
  const state = await readCheckpoint(images);
  if (!state) throw new ApiError('failed-precondition', `There is no state of "${id}" to go on from`);
  await giveToRoot(images, idmap);
  // By then init is in its cgroup, and nothing is in those above it.
  await using actions = await listenToCriu(places.steps, 'post-setup-namespaces', () =>
    Promise.resolve(rebuildCgroupTree(places.cgroup, state.cgroups)),
  );
  const settingsFile = criuSettingsFile(places);
  await writeFile(settingsFile, `cgroup-root ${places.cgroupRoot}\nenable-fs ramfs\n`, { mode: 0o600 });
  const log = path.join(images, 'restore.log');
  try {
    return await restoreByLxc({ ...place, images, action: actions.program, settingsFile }, signal);
  } catch (error) {
    await killUsers(images);
    signal?.throwIfAborted();
    const reason = (await criuErrors(log)) || (error as Error).message;
    throw new ApiError('failed-precondition', `Failed bringing back the state of "${id}": ${reason}`, {
      cause: actions.failure ?? error,
    });
  } finally {
    await copyFile(log, criuLogFile(places, 'restore')).catch(() => undefined);
  }
}

/** Ends every run of CRIU on these images: it is neither our child nor in the container's cgroup. */
async function killUsers(images: string): Promise<void> {
  for (const name of await readdir('/proc')) {
    const words = /^\d+$/.test(name) ? await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '') : '';
    if (!words.split('\0').includes(images)) continue;
    try {
      process.kill(Number(name), 'SIGKILL');
    } catch {
      // gone meanwhile
    }
  }
}
