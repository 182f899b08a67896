import type { ErrorCode } from './error.ts';

/** Every JSON answer carries these seven members; `code` is ours, beside LXD's number. */
export interface Envelope<T = unknown> {
  readonly type: 'sync' | 'async' | 'error';
  readonly status: string;
  readonly status_code: number;
  readonly operation: string;
  readonly error_code: number;
  readonly error: string;
  readonly metadata: T;
  readonly code?: ErrorCode;
}
