import { CommandError, runCommand } from '#base/run-command.ts';

const dayMs = 24 * 3600 * 1000;

/**
 * Copies the tree below `source` into the folder `target` (cp(1) of GNU coreutils): owners, modes, times, ACLs, other
 * extended attributes, hard links, holes and special files; sharing blocks where the file system can. Both are
 * absolute paths of the daemon's own folders; links in the tree are copied, never followed.
 */
export async function copyTree(source: string, target: string, signal?: AbortSignal): Promise<void> {
  await copy(source, target, [], signal);
}

/** The same for what is in the source and not in the target. */
export async function copyMissing(source: string, target: string): Promise<void> {
  await copy(source, target, ['--no-clobber']);
}

async function copy(source: string, target: string, more: readonly string[], signal?: AbortSignal): Promise<void> {
  const args = [...more, '-a', '--reflink=auto', '--sparse=auto', '-T', '--', source, target];
  try {
    await runCommand('cp', args, { timeoutMs: dayMs, ...(signal && { signal }) });
  } catch (error) {
    if (!onlyVanished(error)) throw error;
  }
}

/** Removes a tree without leaving its file system; succeeds when it is gone. */
export async function removeTree(path: string): Promise<void> {
  await runCommand('rm', ['-rf', '--one-file-system', '--', path], { timeoutMs: dayMs });
}

/** A running guest may delete files while they are copied; that is no failure. */
function onlyVanished(error: unknown): boolean {
  if (!(error instanceof CommandError) || error.status !== 1) return false;
  const lines = error.stderr.trim().split('\n');
  return lines.every(line => /^cp: cannot (stat|open|access|read) .*No such file or directory$/.test(line));
}
