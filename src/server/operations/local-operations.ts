import { randomUUID, timingSafeEqual } from 'node:crypto';
import type { WebSocket } from 'ws';
import { defaultProject } from '#api/common.ts';
import { ApiError, notFound } from '#api/error.ts';
import { isFinal, statusCodes, type Operation, type OperationStatus } from '#api/operation.ts';
import type { Requestor } from '#api/event.ts';
import type { Log } from '#base/log.ts';
import { timestamp } from '#base/time.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { OperationContext, OperationRequest, Operations } from './operation.ts';

const keptMs = 5000;
const progressIntervalMs = 100;

type Resources = NonNullable<OperationRequest['resources']>;
type Task = (context: OperationContext) => Promise<Readonly<Record<string, unknown>> | void>;

interface Entry {
  operation: Operation;
  readonly request: OperationRequest;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  readonly end: () => void;
  announcedAt: number;
  pending: NodeJS.Timeout | undefined;
}

interface Settings {
  readonly events: EventBus;
  readonly log: Log;
}

/** Operations of this process; nothing of them survives it. */
export class LocalOperations implements Operations {
  readonly #entries = new Map<string, Entry>();
  readonly #events: EventBus;
  readonly #log: Log;

  constructor({ events, log }: Settings) {
    this.#events = events;
    this.#log = log;
  }

  run(request: OperationRequest, task?: Task): Operation {
    const entry = newEntry(request);
    this.#entries.set(entry.operation.id, entry);
    this.#announce(entry);
    this.#change(entry, { ...statusOf('Running') });
    if (task) void this.#execute(entry, task);
    return entry.operation;
  }

  get(id: string): Operation {
    return this.#entry(id).operation;
  }

  projectOf(id: string): string {
    return this.#entry(id).request.project;
  }

  requestorOf(id: string): Requestor | undefined {
    return this.#entry(id).request.requestor;
  }

  list(): readonly Operation[] {
    return [...this.#entries.values()].map(entry => entry.operation);
  }

  async wait(id: string, timeoutMs: number | undefined, signal?: AbortSignal): Promise<Operation> {
    const entry = this.#entry(id);
    if (!isFinal(entry.operation) && timeoutMs !== 0) await endOrTimeout(entry.ended, timeoutMs, signal);
    return entry.operation;
  }

  cancel(id: string): void {
    const entry = this.#entry(id);
    const { operation } = entry;
    if (isFinal(operation)) throw new ApiError('invalid-argument', `Operation "${id}" has ended already`);
    if (!operation.may_cancel) throw new ApiError('invalid-argument', `Operation "${id}" cannot be cancelled`);
    if (operation.class === 'token') {
      this.#finish(entry, 'Cancelled');
      return;
    }
    if (operation.status === 'Cancelling') return;
    this.#change(entry, { ...statusOf('Cancelling'), may_cancel: false });
    entry.controller.abort(new ApiError('canceled', 'The operation was cancelled'));
  }

  connect(id: string, secret: string, socket: WebSocket): void {
    const { operation, request } = this.#entry(id);
    if (operation.status !== 'Running')
      throw new ApiError('invalid-argument', `Operation "${id}" is not running: its status is "${operation.status}"`);
    if (!request.connect?.(secret, socket)) throw wrongSecret(id);
  }

  checkSecret(id: string, secret: string): void {
    const { metadata } = this.#entry(id).operation;
    if (!secretsOf(metadata).some(expected => sameText(expected, secret))) throw wrongSecret(id);
  }

  takeToken(
    matches: (metadata: Readonly<Record<string, unknown>>, operation: Operation) => boolean,
  ): Operation | undefined {
    for (const entry of this.#entries.values()) {
      const { operation } = entry;
      if (operation.class !== 'token' || isFinal(operation) || !matches(operation.metadata ?? {}, operation)) continue;
      this.#finish(entry, 'Success');
      return operation;
    }
    return undefined;
  }

  async settled(timeoutMs: number): Promise<void> {
    const tasks = [...this.#entries.values()].filter(({ operation }) => operation.class === 'task');
    await Promise.all(tasks.map(({ ended }) => endOrTimeout(ended, timeoutMs)));
  }

  async close(): Promise<void> {
    const open = [...this.#entries.values()].filter(entry => !isFinal(entry.operation));
    for (const entry of open) {
      if (entry.operation.class === 'token') this.#finish(entry, 'Cancelled');
      else entry.controller.abort(new ApiError('unavailable', 'The daemon is stopping'));
    }
    await Promise.all(open.map(entry => entry.ended));
  }

  async #execute(entry: Entry, task: Task): Promise<void> {
    const context: OperationContext = {
      id: entry.operation.id,
      signal: entry.controller.signal,
      update: metadata => this.#progress(entry, metadata),
    };
    try {
      const result = await task(context);
      if (result) entry.operation = withMetadata(entry.operation, result);
      this.#finish(entry, 'Success');
    } catch (error) {
      this.#fail(entry, error);
    }
  }

  #fail(entry: Entry, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (entry.operation.status === 'Cancelling') {
      this.#finish(entry, 'Cancelled', 'The operation was cancelled');
      return;
    }
    if (!ApiError.is(error) || error.code === 'internal')
      this.#log.error('Operation failed', {
        operation: entry.operation.id,
        description: entry.operation.description,
        error,
      });
    this.#finish(entry, 'Failure', message || 'Unknown error');
  }

  #progress(entry: Entry, metadata: Readonly<Record<string, unknown>>): void {
    if (isFinal(entry.operation)) return;
    entry.operation = withMetadata(entry.operation, metadata);
    if (entry.pending) return;
    const waitMs = entry.announcedAt + progressIntervalMs - performance.now();
    if (waitMs <= 0) this.#announce(entry);
    else entry.pending = setTimeout(() => this.#announce(entry), waitMs);
  }

  #finish(entry: Entry, status: OperationStatus, err = ''): void {
    this.#change(entry, { ...statusOf(status), err, may_cancel: false });
    entry.end();
    setTimeout(() => this.#entries.delete(entry.operation.id), keptMs).unref();
  }

  #change(entry: Entry, change: Partial<Operation>): void {
    entry.operation = { ...entry.operation, ...change, updated_at: timestamp() };
    this.#announce(entry);
  }

  #announce(entry: Entry): void {
    clearTimeout(entry.pending);
    entry.pending = undefined;
    entry.announcedAt = performance.now();
    this.#events.emit('operation', entry.operation, entry.request.project);
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (!entry) throw notFound('Operation', id);
    return entry;
  }
}

function newEntry(request: OperationRequest): Entry {
  const created = timestamp();
  let end = (): void => undefined;
  const ended = new Promise<void>(resolve => (end = resolve));
  const operationClass = request.class ?? 'task';
  const operation: Operation = {
    id: randomUUID(),
    class: operationClass,
    description: request.description,
    created_at: created,
    updated_at: created,
    ...statusOf('Pending'),
    resources: request.resources ? inProject(request.resources, request.project) : null,
    metadata: request.metadata ?? null,
    may_cancel: request.mayCancel ?? operationClass === 'token',
    err: '',
    location: 'none',
  };
  const controller = new AbortController();
  return { operation, request, controller, ended, end, announcedAt: 0, pending: undefined };
}

/** URLs with `?project=` unless that is the default one. */
function inProject(resources: Resources, project: string): Resources {
  if (project === '' || project === defaultProject) return resources;
  const suffix = `?project=${encodeURIComponent(project)}`;
  const withProject = (url: string): string => (url.includes('?') ? url : `${url}${suffix}`);
  return Object.fromEntries(Object.entries(resources).map(([kind, urls]) => [kind, urls.map(withProject)]));
}

function statusOf(status: OperationStatus): Pick<Operation, 'status' | 'status_code'> {
  return { status, status_code: statusCodes[status] };
}

function withMetadata(operation: Operation, metadata: Readonly<Record<string, unknown>>): Operation {
  return { ...operation, metadata: { ...operation.metadata, ...metadata }, updated_at: timestamp() };
}

/** Secrets lie in `fds` (exec, console) or directly in the metadata (migration, tokens). */
function secretsOf(metadata: Operation['metadata']): readonly string[] {
  const fds = metadata?.['fds'];
  const nested = typeof fds === 'object' && fds !== null ? Object.values(fds) : [];
  const { fingerprint: _public, ...own } = metadata ?? {};
  return [...Object.values(own), ...nested].filter(
    (value): value is string => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
  );
}

function sameText(expected: string, given: string): boolean {
  const one = Buffer.from(expected);
  const other = Buffer.from(given);
  return one.length === other.length && timingSafeEqual(one, other);
}

function wrongSecret(id: string): ApiError {
  return new ApiError('permission-denied', `The secret does not fit operation "${id}", or was used before`);
}

async function endOrTimeout(ended: Promise<void>, timeoutMs: number | undefined, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, Math.min(timeoutMs, 2 ** 31 - 1));
    const abort = (): void => reject(signal?.reason as Error);
    signal?.addEventListener('abort', abort, { once: true });
    void ended.then(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      resolve();
    });
  });
}
