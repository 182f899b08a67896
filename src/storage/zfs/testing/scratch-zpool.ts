import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { zpool } from '../zfs-command.ts';

export interface ScratchZpool {
  readonly name: string;
  dispose(): Promise<void>;
}

/** A zpool of 512 MiB in a temporary folder, as an administrator may have made one. */
export async function makeZpool(name: string): Promise<ScratchZpool> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'zpool-'));
  const file = path.join(folder, 'disk');
  await writeFile(file, '');
  await truncate(file, 512 * 2 ** 20);
  await zpool(['create', '-m', 'none', '-o', 'cachefile=none', name, file]);
  return {
    name,
    dispose: async () => {
      await zpool(['destroy', '-f', name]);
      await rm(folder, { recursive: true });
    },
  };
}
