import { ApiError } from '#api/error.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** Throws "failed-precondition" with the next step unless the container runs. */
export function assertRunning(
  runtime: Pick<Runtime, 'status'>,
  instance: { readonly id: string; readonly name: string },
): void {
  const status = runtime.status(instance.id);
  if (status === 'stopped') {
    throw new ApiError('failed-precondition', `Instance "${instance.name}" is not running; start it first`);
  }
  if (status === 'frozen') {
    throw new ApiError('failed-precondition', `Instance "${instance.name}" is frozen; unfreeze it first`);
  }
}
