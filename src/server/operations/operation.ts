import type { WebSocket } from 'ws';
import type { Requestor } from '#api/event.ts';
import type { Operation, OperationClass } from '#api/operation.ts';

export interface OperationRequest {
  readonly class?: OperationClass;
  /** short and stable: clients print it, such as "Starting instance" */
  readonly description: string;
  readonly project: string;
  readonly requestor?: Requestor;
  /** kind → URLs; for instances give both "instances" and "containers" */
  readonly resources?: Readonly<Record<string, readonly string[]>>;
  /** metadata from the start, such as the secrets of websockets */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** cancelling aborts the task's signal */
  readonly mayCancel?: boolean;
  /** class "websocket": takes a client's socket; false when the secret is wrong or was used before */
  readonly connect?: (secret: string, socket: WebSocket) => boolean;
}

/** What a task sees of its operation. */
export interface OperationContext {
  readonly id: string;
  /** aborted when the operation is cancelled or the daemon ends */
  readonly signal: AbortSignal;
  /** merges members into the metadata and tells listeners; at most some times a second for progress texts */
  update(metadata: Readonly<Record<string, unknown>>): void;
}

/** Background work of the daemon. Operations live in memory and stay for 5 s after their end. */
export interface Operations {
  /** Starts a task; the value it resolves to is merged into the metadata. Class "token" has no task and stays until cancelled. */
  run(
    request: OperationRequest,
    task?: (context: OperationContext) => Promise<Readonly<Record<string, unknown>> | void>,
  ): Operation;
  /** Throws "not-found". */
  get(id: string): Operation;
  /** Project that an operation belongs to; throws "not-found". */
  projectOf(id: string): string;
  /** Who began an operation; undefined = the daemon. Throws "not-found". */
  requestorOf(id: string): Requestor | undefined;
  list(): readonly Operation[];
  /** Resolves with the final operation, or with the current one after `timeoutMs`. */
  wait(id: string, timeoutMs: number | undefined, signal?: AbortSignal): Promise<Operation>;
  /** Throws "invalid-argument" when it cannot be cancelled. */
  cancel(id: string): void;
  /** Hands a websocket to its operation; throws "permission-denied" for a wrong secret. */
  connect(id: string, secret: string, socket: WebSocket): void;
  /** Throws "permission-denied" unless the secret is one of the operation's. */
  checkSecret(id: string, secret: string): void;
  /** Takes a token operation out when it was used; undefined when no such token is open. Only one taker wins. */
  takeToken(
    matches: (metadata: Readonly<Record<string, unknown>>, operation: Operation) => boolean,
  ): Operation | undefined;
  /** Resolves when the tasks that run now have ended, websocket sessions excepted, or after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void>;
  /** Aborts all tasks and waits for them. */
  close(): Promise<void>;
}
