import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { kernel } from '#native/kernel.ts';
import type { ContainerMount, ContainerSpec } from './runtime.ts';

const bind = 4096; // MS_BIND
const recursive = 16_384; // MS_REC
const detach = 2 | 8; // MNT_DETACH | UMOUNT_NOFOLLOW
const stageName = /^staged-[0-9a-f]{32}$/;

export interface StagedSpec extends AsyncDisposable {
  readonly spec: ContainerSpec;
}

/**
 * The spec with the sources of its mounts bound to where a guest's root may look them up while it starts: liblxc mounts
 * them with its rights, and folders such as those of volumes are closed to everybody but the host's root. The names
 * cannot be guessed, and disposing takes them away: by then the container has its own mounts.
 */
export async function stageMounts(spec: ContainerSpec, parent: string): Promise<StagedSpec> {
  const folder = path.join(parent, `staged-${randomBytes(16).toString('hex')}`);
  const dispose = (): Promise<void> => unstage(folder);
  if (spec.mounts.length === 0 || spec.idmap === undefined) return { spec, [Symbol.asyncDispose]: dispose };
  await mkdir(folder, { recursive: true, mode: 0o711 });
  try {
    const mounts: ContainerMount[] = [];
    for (const [index, mount] of spec.mounts.entries()) {
      const source = path.join(folder, String(index));
      if (mount.kind === 'file') await writeFile(source, '', { mode: 0o600 });
      else await mkdir(source, { mode: 0o711 });
      await kernel.mount(mount.source, source, 'none', mount.recursive ? bind | recursive : bind, '');
      mounts.push({ ...mount, source });
    }
    return { spec: { ...spec, mounts }, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await unstage(folder);
    throw error;
  }
}

/** Removes what a daemon that ended in the middle of a start has left. */
export async function clearStaged(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) if (stageName.test(name)) await unstage(path.join(parent, name));
}

/** Never descends into what is mounted. */
async function unstage(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const place = path.join(folder, name);
    await kernel.unmount(place, detach).catch(() => undefined);
    await rmdir(place).catch((error: NodeJS.ErrnoException) =>
      error.code === 'ENOTDIR' ? rm(place, { force: true }) : undefined,
    );
  }
  await rmdir(folder).catch(() => undefined);
}
