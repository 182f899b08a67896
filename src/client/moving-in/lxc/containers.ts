import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { FileKind } from './map-mounts.ts';
import type { ConfigFiles } from './read-config.ts';

/** Files of this machine, as configurations include them. */
export const machineFiles: ConfigFiles = {
  read(file, maxBytes) {
    try {
      if (!statSync(file).isFile()) return undefined;
      return readFileSync(file, 'utf8').slice(0, maxBytes);
    } catch {
      return undefined;
    }
  },
  list(folder) {
    try {
      return readdirSync(folder);
    } catch {
      return undefined;
    }
  },
};

export function kindOfFile(file: string): FileKind | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found) return undefined;
  if (found.isDirectory()) return 'folder';
  if (found.isCharacterDevice()) return 'char';
  return found.isBlockDevice() ? 'block' : 'file';
}

/** Names of the containers below a folder of LXC, which need not be there. */
export function listLxcContainers(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter(name => lstatSync(path.join(folder, name, 'config'), { throwIfNoEntry: false })?.isFile())
    .sort();
}

/** Whether a container runs: liblxc then listens on a socket in no folder. */
export function isLxcRunning(folder: string, name: string): boolean {
  const socket = `${folder}/${name}/command`;
  const hashed = `lxc/${hashOf(`${folder}/${name}`)}/command`;
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .some(line => line.endsWith(` @${socket}`) || line.endsWith(` @${hashed}`));
}

/** liblxc names the socket so when the path is too long for one: 64-bit FNV-1a in hexadecimal. */
function hashOf(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16);
}

/** The folder of a root file system, or why it cannot be read as it is. */
export function lxcRootFolder(
  rootfs: string | undefined,
  folder: string,
  name: string,
): { readonly folder: string } | { readonly obstacle: string } {
  const [, kind = 'dir', place = ''] =
    /^(?:([a-z]+):)?(\/.*)$/s.exec(rootfs ?? path.join(folder, name, 'rootfs')) ?? [];
  const found = place === '' ? undefined : statSync(place, { throwIfNoEntry: false });
  if (['dir', 'btrfs'].includes(kind) && found?.isDirectory()) return { folder: realpathSync(place) };
  const what = found?.isBlockDevice() || kind !== 'dir' ? 'is not a folder' : 'is not there';
  return {
    obstacle: `its root file system "${rootfs ?? ''}" ${what}: mount it and name the folder with "--rootfs"`,
  };
}
