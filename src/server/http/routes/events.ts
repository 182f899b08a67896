import type { WebSocket } from 'ws';
import { eventTypes, type EventType } from '#api/event.ts';
import { ApiError, invalid } from '#api/error.ts';
import type { EventFilter } from '../../events/event-bus.ts';
import { projectsOf } from '../request.ts';
import type { ApiRequest, UpgradeRoute } from '../route.ts';

const maxQueuedBytes = 8 * 2 ** 20;

export const eventUpgrades: readonly UpgradeRoute[] = [
  {
    path: '/1.0/events',
    access: 'project',
    allProjects: true,
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

function eventFilter(request: ApiRequest): EventFilter {
  const projects = projectsOf(request);
  const types = eventTypesOf(request.query['type'], request.caller.admin);
  return { types, ...(projects && { projects }), withoutProject: request.caller.admin };
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
