import type { Requestor } from '#api/event.ts';
import type { Services } from '../services.ts';

/** What actions on an instance use of the daemon. */
export type InstanceServices = Pick<
  Services,
  'database' | 'pools' | 'networks' | 'runtime' | 'events' | 'locks' | 'paths' | 'control' | 'log'
>;

/** On whose behalf an action runs, and until when. */
export interface ActionContext {
  readonly signal?: AbortSignal;
  readonly requestor?: Requestor;
  /** until when what an undo of the action needs is kept; absent = nothing is kept */
  readonly keptUntil?: string;
}

/** URL path of an instance. */
export function instancePath(name: string): string {
  return `/1.0/instances/${encodeURIComponent(name)}`;
}

/** URL path of a snapshot of an instance. */
export function snapshotPath(instance: string, name: string): string {
  return `${instancePath(instance)}/snapshots/${encodeURIComponent(name)}`;
}
