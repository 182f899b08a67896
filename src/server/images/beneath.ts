import { closeSync, constants, fchmodSync, fchownSync, fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import { kernel } from '#native/kernel.ts';
import { TemplateError } from '#base/template.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** Content of a regular file beneath a folder, followed through no link; undefined when there is none. */
export function readBeneath(folder: number, path: string, limit: number): Buffer | undefined {
  const file = openUnlessMissing(folder, path, O_RDONLY | O_NONBLOCK);
  if (file === undefined) return undefined;
  try {
    const { size } = regularStat(file, path);
    if (size > limit) throw new TemplateError(`"${path}" is larger than ${String(limit)} bytes`);
    const content = Buffer.alloc(limit);
    let length = 0;
    for (;;) {
      const read = readSync(file, content, length, limit - length, null);
      length += read;
      if (read === 0 || length === limit) return content.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}

/**
 * Writes a file at `root`/`path` beneath a folder, through no link. A file that is there keeps its owner and mode;
 * a new one, and folders that are missing, belong to the owner of `root`, which is the guest's root (0644, 0755).
 */
export function writeBeneath(
  folder: number,
  root: string,
  path: string,
  content: Uint8Array,
  { replace }: { readonly replace: boolean },
): void {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  let parent = kernel.openBeneath(folder, root, O_RDONLY | O_DIRECTORY);
  const owner = fstatSync(parent);
  try {
    for (const part of parts) {
      const next = enterFolder(parent, part, owner);
      closeSync(parent);
      parent = next;
    }
    const existing = openUnlessMissing(parent, name, O_WRONLY | O_NONBLOCK);
    if (existing !== undefined && !replace) {
      closeSync(existing);
      return;
    }
    const file = existing ?? kernel.openBeneath(parent, name, O_WRONLY | O_CREAT | O_EXCL, 0o644);
    try {
      regularStat(file, path);
      if (existing === undefined) {
        fchmodSync(file, 0o644); // whatever the umask is
        fchownSync(file, owner.uid, owner.gid);
      }
      ftruncateSync(file, 0);
      for (let written = 0; written < content.length;) written += writeSync(file, content, written);
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(parent);
  }
}

function enterFolder(parent: number, name: string, owner: { readonly uid: number; readonly gid: number }): number {
  const existing = openUnlessMissing(parent, name, O_RDONLY | O_DIRECTORY);
  if (existing !== undefined) return existing;
  kernel.mkdirAt(parent, name, 0o755);
  const made = kernel.openBeneath(parent, name, O_RDONLY | O_DIRECTORY);
  fchownSync(made, owner.uid, owner.gid);
  return made;
}

function openUnlessMissing(folder: number, path: string, flags: number): number | undefined {
  try {
    return kernel.openBeneath(folder, path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function regularStat(file: number, path: string): { readonly size: number } {
  const stat = fstatSync(file);
  if (!stat.isFile() || stat.nlink > 1) throw new TemplateError(`"${path}" is no plain file`);
  return stat;
}
