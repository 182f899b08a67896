import { ApiError } from '#api/error.ts';
import type { Log } from '#base/log.ts';
import { ConflictError } from '../database/database.ts';

/** What a failed request is answered with. Unknown errors are bugs or the host's fault: they are logged with their cause. */
export function toApiError(
  error: unknown,
  log: Log,
  context: { readonly method: string; readonly url: string },
): ApiError {
  if (ApiError.is(error)) {
    if (error.code === 'internal') log.error('Request failed', { ...context, error });
    return error;
  }
  if (error instanceof ConflictError && error.kind === 'unique')
    return new ApiError('already-exists', 'An object with this name already exists', { cause: error });
  if (error instanceof ConflictError && error.kind === 'foreign-key')
    return new ApiError('failed-precondition', 'The object is in use', { cause: error });
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (error instanceof Error && typeof status === 'number' && status >= 400 && status < 500)
    return new ApiError('invalid-argument', error.message, { cause: error });
  log.error('Request failed', { ...context, error });
  const message = error instanceof Error ? error.message : String(error);
  return new ApiError('internal', message || 'Internal error', { cause: error });
}
