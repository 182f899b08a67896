import { ApiError } from '#api/error.ts';
import type { FileServer } from './runtime.ts';

/** Removes the empty file that a device node was mounted on; anything else is the guest's. */
export async function removePlaceholder(files: FileServer, target: string): Promise<void> {
  try {
    const { kind, size } = await files.stat(target);
    if (kind === 'file' && size === 0) await files.remove(target);
  } catch (error) {
    if (!ApiError.is(error, 'not-found')) throw error;
  } finally {
    await files.close();
  }
}
