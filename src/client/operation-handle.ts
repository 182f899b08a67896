import { ApiError, type ErrorCode, errorStatus } from '#api/error.ts';
import type { Event } from '#api/event.ts';
import { isFinal, type Operation } from '#api/operation.ts';
import { followEvents } from './events.ts';
import type { Transport } from './transport.ts';

export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** called with each update of the operation that passes by while waiting */
  readonly onUpdate?: (operation: Operation) => void;
}

/** Background work of a server, as seen by the client that asked for it. */
export class OperationHandle {
  readonly operation: Operation;
  readonly #transport: Transport;

  constructor(transport: Transport, operation: Operation) {
    this.#transport = transport;
    this.operation = operation;
  }

  get path(): string {
    return `/1.0/operations/${this.operation.id}`;
  }

  /** Resolves with the finished operation; rejects with the operation's error when it failed or was cancelled. */
  async wait(options: WaitOptions = {}): Promise<Operation> {
    const stopped = new AbortController();
    const watching = options.onUpdate && this.#watch(options.onUpdate, stopped.signal);
    try {
      for (;;) {
        const { metadata } = await this.#transport.call<Operation>('GET', `${this.path}/wait`, {
          query: { timeout: -1 },
          signal: options.signal,
        });
        if (!isFinal(metadata)) continue;
        if (metadata.status === 'Success') return metadata;
        throw new ApiError(codeOf(metadata), metadata.err || `The operation ended as "${metadata.status}"`);
      }
    } finally {
      stopped.abort();
      await watching;
    }
  }

  async cancel(): Promise<void> {
    await this.#transport.call('DELETE', this.path);
  }

  async #watch(onUpdate: (operation: Operation) => void, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of followEvents(this.#transport, { types: ['operation'], signal })) {
        const operation = (event as Event<'operation'>).metadata;
        if (operation.id === this.operation.id && !signal.aborted) onUpdate(operation);
      }
    } catch {
      // Progress is a comfort: the wait itself reports what matters.
    }
  }
}

/** Our server names the code of a failed operation in its metadata; another one only has the text. */
function codeOf(operation: Operation): ErrorCode {
  const code = operation.metadata?.['error_code'];
  if (typeof code === 'string' && code in errorStatus) return code as ErrorCode;
  return operation.status === 'Cancelled' ? 'canceled' : 'internal';
}
