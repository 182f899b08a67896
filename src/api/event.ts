import type { Operation } from './operation.ts';

export const eventTypes = ['lifecycle', 'logging', 'operation'] as const;
export type EventType = (typeof eventTypes)[number];

export interface Requestor {
  readonly username: string;
  readonly protocol: 'unix' | 'tls';
  readonly address: string;
}

/** A fact about a resource: what happened to which one. */
export interface LifecycleMetadata {
  /** such as "instance-started" */
  readonly action: string;
  /** URL of the object, with `?project=` unless default */
  readonly source: string;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly requestor?: Requestor;
}

export interface LoggingMetadata {
  readonly message: string;
  readonly level: 'debug' | 'info' | 'warning' | 'error';
  readonly context: Readonly<Record<string, string>>;
}

export interface EventMetadata {
  readonly lifecycle: LifecycleMetadata;
  readonly logging: LoggingMetadata;
  readonly operation: Operation;
}

/** One websocket text message of /1.0/events. */
export interface Event<T extends EventType = EventType> {
  readonly type: T;
  /** RFC 3339 with nanoseconds */
  readonly timestamp: string;
  readonly metadata: EventMetadata[T];
  readonly location: string;
  /** empty for events that belong to no project */
  readonly project: string;
}
