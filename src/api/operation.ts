/** Status codes of operations and instances, as LXD numbers them. */
export const statusCodes = {
  'Operation created': 100,
  Started: 101,
  Stopped: 102,
  Running: 103,
  Cancelling: 104,
  Pending: 105,
  Starting: 106,
  Stopping: 107,
  Aborting: 108,
  Freezing: 109,
  Frozen: 110,
  Thawed: 111,
  Error: 112,
  Ready: 113,
  Success: 200,
  Failure: 400,
  Cancelled: 401,
} as const;
export type StatusName = keyof typeof statusCodes;

export type OperationClass = 'task' | 'websocket' | 'token';
export type OperationStatus = 'Pending' | 'Running' | 'Cancelling' | 'Success' | 'Failure' | 'Cancelled';

/** Background work; kept for 5 s after its end. */
export interface Operation {
  readonly id: string;
  readonly class: OperationClass;
  readonly description: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly status: OperationStatus;
  readonly status_code: number;
  /** kind → URLs, e.g. instances → ["/1.0/instances/c1"] */
  readonly resources: Readonly<Record<string, readonly string[]>> | null;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly may_cancel: boolean;
  readonly err: string;
  readonly location: string;
}

export function isFinal(operation: Pick<Operation, 'status_code'>): boolean {
  return operation.status_code >= 200;
}
