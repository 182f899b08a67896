import { Duplex, PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Operation } from '#api/operation.ts';
import { ApiError } from '#api/error.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { OperationRequest, Operations } from '../operations/operation.ts';
import type { ConsoleSession, ContainerStatus, Runtime } from '../runtime/runtime.ts';
import { attachConsole } from './console.ts';
import { receive, websocketPair, type Received } from './testing/websocket-pair.ts';
import type { WebSocket } from 'ws';

type Task = NonNullable<Parameters<Operations['run']>[1]>;

const instance = { project: 'default', name: 'c1', id: 'c1', config: {} };
let status: ContainerStatus;
let attached: boolean;
let sizes: string[];
let output: PassThrough;
let input: PassThrough;
let request: OperationRequest;
let result: ReturnType<Task>;

beforeEach(() => {
  status = 'running';
  attached = false;
  sizes = [];
  output = new PassThrough();
  input = new PassThrough();
});

function takeConsole(_id: string, columns: number, rows: number): Promise<ConsoleSession> {
  if (attached) return Promise.reject(new ApiError('busy', 'Somebody has the console'));
  attached = true;
  sizes.push(`${String(columns)}x${String(rows)}`);
  return Promise.resolve({
    stream: Duplex.from({ readable: output, writable: input }),
    resize: (wide, high) => void sizes.push(`${String(wide)}x${String(high)}`),
    close: () => void (attached = false),
  });
}

function attach(width?: number): Operation {
  const runtime = { status: () => status, console: takeConsole } as unknown as Runtime;
  const events: EventBus = { emit: () => undefined, subscribe: () => () => undefined };
  const operations = {
    run: (about: OperationRequest, task: Task) => {
      request = about;
      result = task({ id: 'op', signal: new AbortController().signal, update: () => undefined });
      result.catch(() => undefined);
      return { id: 'op', metadata: about.metadata ?? null } as unknown as Operation;
    },
  } as unknown as Operations;
  return attachConsole({ runtime, events, operations }, instance, width ? { width, height: 30 } : {});
}

async function connect(operation: Operation, name: string): Promise<{ client: WebSocket; received: Received }> {
  const fds = operation.metadata?.['fds'] as Readonly<Record<string, string>>;
  const { server, client } = await websocketPair();
  const received = receive(client);
  expect(request.connect?.(fds[name] ?? '', server)).toBe(true);
  return { client, received };
}

describe('the console', () => {
  test('goes both ways, follows the window and is free again when the client leaves', async () => {
    const operation = attach(100);
    const screen = await connect(operation, '0');
    const control = await connect(operation, 'control');
    output.write('login: ');
    screen.client.send(Buffer.from('root\n'));
    control.client.send(JSON.stringify({ command: 'window-resize', args: { width: '90', height: '20' } }));
    await delay(50);
    expect([screen.received.binary(), input.read()?.toString(), sizes]).toEqual([
      'login: ',
      'root\n',
      ['100x30', '90x20'],
    ]);
    control.client.close();
    await result;
    await screen.received.closed;
    expect(attached).toBe(false);
  });

  test('ends for the client when it ends', async () => {
    const operation = attach();
    const screen = await connect(operation, '0');
    await connect(operation, 'control');
    output.end('Power down\n');
    await result;
    await screen.received.closed;
    expect([screen.received.binary(), screen.received.ends(), attached]).toEqual(['Power down\n', 1, false]);
  });

  test('is not shared', async () => {
    attached = true;
    const operation = attach();
    const screen = await connect(operation, '0');
    await connect(operation, 'control');
    await expect(result).rejects.toMatchObject({ code: 'busy' });
    await screen.received.closed;
  });

  test('needs a running instance and a size that makes sense', () => {
    expect(() => attach(70_000)).toThrow(/"width"/);
    status = 'stopped';
    expect(() => attach()).toThrow(/not running; start it first/);
  });
});
