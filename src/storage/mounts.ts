import { readFile, statfs } from 'node:fs/promises';
import { unescapeMountField } from '#base/mount-fields.ts';
import { kernel } from '#native/kernel.ts';
import type { PoolUsage } from './driver.ts';
import { Folder, hasCode } from './trees/folder.ts';

/** MS_* of mount(2) by their words in mount(8); everything else is the file system's own option. */
const flagWords: Readonly<Record<string, { readonly set?: number; readonly clear?: number }>> = {
  ro: { set: 1 },
  rw: { clear: 1 },
  nosuid: { set: 2 },
  suid: { clear: 2 },
  nodev: { set: 4 },
  dev: { clear: 4 },
  noexec: { set: 8 },
  exec: { clear: 8 },
  sync: { set: 16 },
  async: { clear: 16 },
  dirsync: { set: 128 },
  noatime: { set: 1024 },
  atime: { clear: 1024 },
  nodiratime: { set: 2048 },
  diratime: { clear: 2048 },
  relatime: { set: 1 << 21 },
  norelatime: { clear: 1 << 21 },
  strictatime: { set: 1 << 24 },
  lazytime: { set: 1 << 25 },
  defaults: {},
};

const bindFlag = 4096; // MS_BIND
const noFollow = 8; // UMOUNT_NOFOLLOW

export function parseMountOptions(text: string): { readonly flags: number; readonly data: string } {
  let flags = 0;
  const data: string[] = [];
  for (const word of text.split(',').filter(Boolean)) {
    const flag = Object.hasOwn(flagWords, word) ? flagWords[word] : undefined;
    if (flag) flags = (flags | (flag.set ?? 0)) & ~(flag.clear ?? 0);
    else data.push(word);
  }
  return { flags, data: data.join(',') };
}

/** Source of what is mounted at a folder (the topmost), or undefined when nothing is; proc_pid_mountinfo(5). */
export async function mountedAt(folder: string): Promise<string | undefined> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).trim().split('\n');
  for (const line of lines.reverse()) {
    const [before = '', after = ''] = line.split(' - ');
    if (unescapeMountField(before.split(' ')[4] ?? '') === folder) return unescapeMountField(after.split(' ')[1] ?? '');
  }
  return undefined;
}

/** Folders below this one that something is mounted at, in the order of mounting. */
export async function mountsBelow(folder: string): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).trim().split('\n');
  return lines
    .map(line => unescapeMountField(line.split(' ')[4] ?? ''))
    .filter(place => place.startsWith(`${folder}/`));
}

export async function bindMount(source: string, target: string): Promise<void> {
  await kernel.mount(source, target, 'none', bindFlag, '');
}

/** Succeeds when nothing is mounted there. */
export async function unmountFrom(folder: string): Promise<void> {
  try {
    await kernel.unmount(folder, noFollow);
  } catch (error) {
    if (!hasCode(error, 'EINVAL', 'ENOENT')) throw error;
  }
}

export async function poolUsage(mountPoint: string): Promise<PoolUsage> {
  const facts = await statfs(mountPoint);
  return {
    used: (facts.blocks - facts.bfree) * facts.bsize,
    total: facts.blocks * facts.bsize,
    inodesUsed: facts.files - facts.ffree,
    inodesTotal: facts.files,
  };
}

/** Magic number of btrfs in statfs(2). */
export const btrfsMagic = 0x9123683e;

/** Magic number of the file system at a folder of the daemon's own. */
export function fileSystemAt(folder: string): number {
  using opened = Folder.open(folder);
  return kernel.fileSystemType(opened.descriptor);
}

/** Whether mounts of what is at a folder can shift ids; LXD's switch says no for all. */
export function idmappedMountsAt(folder: string): boolean {
  if (/^(1|true|yes|on)$/i.test(process.env['LXD_IDMAPPED_MOUNTS_DISABLE'] ?? '')) return false;
  using opened = Folder.open(folder);
  return kernel.supportsIdmappedMounts(opened.descriptor);
}
