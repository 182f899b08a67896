import type { Readable, Writable } from 'node:stream';
import { invalid } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { InstanceConsolePost } from '#api/instance.ts';
import type { Operation } from '#api/operation.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { OperationContext } from '../operations/operation.ts';
import { WebsocketChannels } from '../operations/websocket-channels.ts';
import type { ConsoleSession } from '../runtime/runtime.ts';
import type { Services } from '../services.ts';
import { closeSockets, resize, takeSocket, type ExecInstance } from './exec.ts';
import { terminalSide } from './exec-request.ts';
import { assertRunning } from './running.ts';
import { receiveMessages, receiveStream, sendStream } from './websocket-streams.ts';

type Uses = Pick<Services, 'runtime' | 'operations' | 'events'>;

/** Milliseconds that a client has to open its websockets. */
const connectMs = 5_000;

/** Attaches a client to the console of a running instance, as an operation that ends with the client or the console. */
export function attachConsole(
  services: Uses,
  instance: ExecInstance,
  post: InstanceConsolePost,
  requestor?: Requestor,
): Operation {
  if (post.type && post.type !== 'console') throw invalid('type', 'containers have the type "console" only');
  const columns = terminalSide('width', post.width) ?? 80;
  const rows = terminalSide('height', post.height) ?? 25;
  assertRunning(services.runtime, instance);
  const channels = new WebsocketChannels(['0', 'control']);
  const location = `/1.0/instances/${instance.name}`;
  const about = { project: instance.project, ...(requestor && { requestor }) };
  return services.operations.run(
    {
      ...about,
      class: 'websocket',
      description: 'Showing console',
      resources: { instances: [location], containers: [location] },
      metadata: { fds: channels.secrets },
      connect: (secret, socket) => takeSocket(channels, secret, socket),
    },
    async context => {
      await runConsole(channels, context, async () => {
        const session = await services.runtime.console(instance.id, columns, rows);
        emitLifecycle(services.events, 'instance-console', location, about);
        return session;
      });
    },
  );
}

async function runConsole(
  channels: WebsocketChannels,
  context: OperationContext,
  attach: () => Promise<ConsoleSession>,
): Promise<void> {
  try {
    const opened = ['0', 'control'].map(name => channels.opened(name, connectMs, context.signal));
    const [screen, control] = await Promise.all(opened);
    if (!screen || !control) return;
    const session = await attach();
    try {
      const left = new Promise<void>(resolve => {
        control.on('close', () => resolve());
        screen.on('close', () => resolve());
        context.signal.addEventListener('abort', () => resolve(), { once: true });
        if (control.readyState >= control.CLOSING || context.signal.aborted) resolve();
      });
      receiveMessages(control, message => {
        if (message['command'] === 'window-resize') resize(session, message['args']);
      });
      receiveStream(screen, session.stream as unknown as Writable);
      await Promise.race([left, sendStream(session.stream as unknown as Readable, screen)]);
    } finally {
      session.close();
    }
  } finally {
    closeSockets(channels);
  }
}

/** Console output so far; of the last run when the instance is stopped. */
export async function consoleLog(services: Pick<Services, 'runtime'>, instance: ExecInstance): Promise<Buffer> {
  return await services.runtime.consoleLog(instance.id);
}

export async function clearConsoleLog(
  services: Pick<Services, 'runtime' | 'events'>,
  instance: ExecInstance,
  requestor?: Requestor,
): Promise<void> {
  await services.runtime.clearConsoleLog(instance.id);
  emitLifecycle(services.events, 'instance-console-reset', `/1.0/instances/${instance.name}`, {
    project: instance.project,
    ...(requestor && { requestor }),
  });
}
