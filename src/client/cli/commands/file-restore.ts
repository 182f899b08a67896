import type { FileRestored } from '#api/file.ts';
import type { Session } from '../session.ts';
import { snapshotTarget } from './file-target.ts';

export interface RestoreOptions {
  readonly force: boolean;
  readonly createDirs: boolean;
}

/** Puts a file or folder of a snapshot back into its instance. */
export async function restoreFile(
  session: Session,
  given: string,
  target: string | undefined,
  { force, createDirs }: RestoreOptions,
): Promise<void> {
  const { client, instance, snapshot, path } = await snapshotTarget(session, given);
  const request = { path, ...(target !== undefined && { target }), force, create_dirs: createDirs };
  const change = client.instances.restoreFile(instance, snapshot, request);
  const operation = await session.finish(change, `Restoring ${path} of ${instance}`);
  const restored = operation?.metadata as FileRestored | null | undefined;
  if (!restored) return;
  const left = restored.left_out;
  if (restored.kept !== undefined) session.note(`What was at ${restored.target} is now ${restored.kept}`);
  if (left > 0) session.note(`Left out ${String(left)} device nodes or attributes that cannot be restored`);
}
