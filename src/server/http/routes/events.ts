import type { WebSocket } from 'ws';
import { eventTypes, type EventType } from '#api/event.ts';
import { ApiError, invalid } from '#api/error.ts';
import type { EventFilter } from '../../events/event-bus.ts';
import type { ApiRequest, UpgradeRoute } from '../route.ts';

const maxQueuedBytes = 8 * 2 ** 20;

export const eventUpgrades: readonly UpgradeRoute[] = [
  {
    path: '/1.0/events',
    access: 'project',
    protocol: 'websocket',
    handle: async ({ events }, request, upgrade) => {
      const filter = eventFilter(request);
      const socket = await upgrade.websocket();
      const unsubscribe = events.subscribe(filter, (_event, text) => sendOrClose(socket, text));
      socket.once('close', unsubscribe);
    },
  },
];

/** Nothing waits for a listener: one that has fallen too far behind is dropped. */
function sendOrClose(socket: WebSocket, text: string): void {
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount > maxQueuedBytes) socket.terminate();
  else socket.send(text);
}

function eventFilter({ query, project, caller }: ApiRequest): EventFilter {
  const all = query['all-projects'] === 'true' || query['all-projects'] === '1';
  if (all && query['project'])
    throw new ApiError('invalid-argument', 'Only one of "project" and "all-projects" can be given');
  const types = eventTypesOf(query['type'], caller.admin);
  if (!all) return { types, projects: [project] };
  return caller.projects ? { types, projects: caller.projects } : { types };
}

function eventTypesOf(text: string | undefined, admin: boolean): readonly EventType[] {
  if (text === undefined || text === '') return eventTypes.filter(type => admin || type !== 'logging');
  return text.split(',').map(name => {
    const type = eventTypes.find(known => known === name);
    if (!type) throw invalid('type', `must be of ${eventTypes.join(', ')}`);
    if (type === 'logging' && !admin) throw new ApiError('permission-denied', 'Not authorized to read the log');
    return type;
  });
}
