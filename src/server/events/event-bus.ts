import type { Event, EventMetadata, EventType, Requestor } from '#api/event.ts';

export interface EventFilter {
  readonly types: readonly EventType[];
  /** events of these projects; undefined = of all */
  readonly projects?: readonly string[];
  /** also events that belong to no project; true when not set */
  readonly withoutProject?: boolean;
}

/** Facts for listeners; nothing in the daemon waits for them. */
export interface EventBus {
  /** `project` is empty for events that belong to none. */
  emit<T extends EventType>(type: T, metadata: EventMetadata[T], project?: string): void;
  /** Calls the listener with each event and with its JSON text, made once for all; returns how to unsubscribe. */
  subscribe(filter: EventFilter, listener: (event: Event, text: string) => void): () => void;
}

/** Emits a lifecycle event: `action` such as "instance-started" about `path` such as "/1.0/instances/c1". */
export function emitLifecycle(
  events: EventBus,
  action: string,
  path: string,
  options: {
    readonly project?: string;
    readonly requestor?: Requestor;
    readonly context?: Readonly<Record<string, unknown>>;
  } = {},
): void {
  const { project = 'default', requestor, context } = options;
  const source = project === 'default' ? path : `${path}?project=${encodeURIComponent(project)}`;
  events.emit('lifecycle', { action, source, ...(context && { context }), ...(requestor && { requestor }) }, project);
}
