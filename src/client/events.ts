import type { Event, EventType } from '#api/event.ts';
import type { Transport } from './transport.ts';

export interface EventOptions {
  /** all types unless given */
  readonly types?: readonly EventType[];
  readonly allProjects?: boolean;
  readonly signal?: AbortSignal;
}

/** Events of a server from now on, until the signal aborts or the server closes the stream. */
export async function* followEvents(transport: Transport, options: EventOptions = {}): AsyncGenerator<Event> {
  const socket = await transport.socket('/1.0/events', {
    type: options.types?.join(','),
    'all-projects': options.allProjects ? true : undefined,
  });
  if (options.signal?.aborted) {
    socket.terminate();
    return;
  }
  const { messagesOf } = await import('./websocket.ts');
  for await (const { data } of messagesOf(socket, options.signal)) yield JSON.parse(data.toString()) as Event;
}
