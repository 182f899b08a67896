import type { Event, EventMetadata, EventType } from '#api/event.ts';
import { timestamp } from '#base/time.ts';
import type { EventBus, EventFilter } from './event-bus.ts';

interface Subscription {
  readonly filter: EventFilter;
  readonly listener: (event: Event, text: string) => void;
}

/** Events inside one process. An event that nobody listens to costs nothing but its call. */
export class LocalEventBus implements EventBus {
  readonly #subscriptions = new Set<Subscription>();

  emit<T extends EventType>(type: T, metadata: EventMetadata[T], project = ''): void {
    const event: Event<T> = { type, timestamp: timestamp(), metadata, location: 'none', project };
    let text: string | undefined;
    for (const { filter, listener } of this.#subscriptions) {
      if (!filter.types.includes(type)) continue;
      if (!concerns(filter, project)) continue;
      text ??= JSON.stringify(event);
      listener(event, text);
    }
  }

  subscribe(filter: EventFilter, listener: (event: Event, text: string) => void): () => void {
    const subscription = { filter, listener };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }
}

function concerns({ projects, withoutProject = true }: EventFilter, project: string): boolean {
  if (project === '') return withoutProject;
  return projects === undefined || projects.includes(project);
}
