import { chown, chmod, copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CgroupNode } from './cgroup-tree.ts';
import { filterFile } from './container-record.ts';
import type { CheckpointNote, Idmap } from './runtime.ts';

/** What is kept beside CRIU's images in the folder of a state. */
interface Descriptor extends CheckpointNote {
  readonly cgroups: readonly CgroupNode[];
}

const descriptorFile = (folder: string): string => path.join(folder, 'container.json');
const savedFilter = (folder: string): string => path.join(folder, 'seccomp.bpf');

/** Writes what CRIU does not save of a container whose run folder is `run`. */
export async function describeCheckpoint(folder: string, run: string, descriptor: Descriptor): Promise<void> {
  await copyFile(filterFile(run), savedFilter(folder));
  await writeFile(descriptorFile(folder), JSON.stringify(descriptor), { mode: 0o600 });
}

/** Undefined when there is no state, or none that is whole. */
export async function readCheckpoint(folder: string): Promise<Descriptor | undefined> {
  try {
    return JSON.parse(await readFile(descriptorFile(folder), 'utf8')) as Descriptor;
  } catch {
    return undefined;
  }
}

/** Makes the filter of a restored container known to commands that join it: the images have it, but nobody can ask. */
export async function takeFilterOver(folder: string, run: string): Promise<void> {
  await copyFile(savedFilter(folder), filterFile(run));
}

/** CRIU reads images with the rights of the container's root. */
export async function giveToRoot(folder: string, idmap: Idmap | undefined): Promise<void> {
  const owner = idmap?.hostBase ?? 0;
  await chmod(folder, 0o700);
  await chown(folder, owner, owner);
  for (const name of await readdir(folder)) await chown(path.join(folder, name), owner, owner);
}
