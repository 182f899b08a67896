import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Writable, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { WebSocket } from 'ws';
import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { InstanceExecPost } from '#api/instance.ts';
import type { Operation } from '#api/operation.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { OperationContext, OperationRequest } from '../operations/operation.ts';
import { WebsocketChannels } from '../operations/websocket-channels.ts';
import type { ExecProcess, ExecRequest } from '../runtime/runtime.ts';
import type { Services } from '../services.ts';
import { execRequest } from './exec-request.ts';
import { assertRunning } from './running.ts';
import { receiveMessages, receiveStream, sendStream } from './websocket-streams.ts';

type Uses = Pick<Services, 'runtime' | 'operations' | 'events' | 'paths' | 'log'>;

/** The instance that a command runs in. */
export interface ExecInstance {
  readonly project: string;
  readonly name: string;
  /** of the container on this host */
  readonly id: string;
  /** expanded */
  readonly config: ConfigMap;
}

/** Milliseconds that a client has to open its websockets. */
const connectMs = 5_000;
/** A terminal that background programs keep open ends when it was silent this long after the command, in milliseconds. */
const silenceMs = 100;
/** Bytes of recorded output per stream; what comes after is dropped, so that a guest cannot fill the host's disk. */
const recordLimit = 100 * 2 ** 20;
const killSignal = 9;
/** What setTimeout can wait at most, in milliseconds. */
const longest = 2 ** 31 - 1;

/** Starts a command in a running instance, as an operation whose metadata gets `return`, its exit status. */
export function execInstance(
  services: Uses,
  instance: ExecInstance,
  post: InstanceExecPost,
  requestor?: Requestor,
): Operation {
  const usesSockets = post['wait-for-websocket'] === true;
  const record = !usesSockets && post['record-output'] === true;
  const request: ExecRequest = {
    ...execRequest({ ...post, interactive: usesSockets && post.interactive === true }, instance.config),
    nullStdio: !usesSockets && !record,
  };
  assertRunning(services.runtime, instance);
  const location = `/1.0/instances/${instance.name}`;
  const about: OperationRequest = {
    description: 'Executing command',
    project: instance.project,
    resources: { instances: [location], containers: [location] },
    ...(requestor && { requestor }),
  };
  const told = (): void =>
    emitLifecycle(services.events, 'instance-exec', location, {
      project: instance.project,
      context: { command: request.command },
      ...(requestor && { requestor }),
    });
  const start = async (): Promise<ExecProcess> => {
    const process = await startCommand(services, instance, request, post.cwd === undefined || post.cwd === '');
    told();
    return process;
  };
  if (record) return services.operations.run(about, context => runRecorded(services, instance, start, context));
  if (!usesSockets) return services.operations.run(about, async () => ({ return: await (await start()).exited }));
  const channels = new WebsocketChannels(request.terminal ? ['0', 'control'] : ['0', '1', '2', 'control']);
  const { command, environment } = request;
  return services.operations.run(
    {
      ...about,
      class: 'websocket',
      metadata: { fds: channels.secrets, command, environment, interactive: request.terminal !== undefined },
      connect: (secret, socket) => takeSocket(channels, secret, socket),
    },
    context => runConnected(channels, start, request.terminal !== undefined, context),
  );
}

/** What a client sends before the command runs must wait, not get lost. */
export function takeSocket(channels: WebsocketChannels, secret: string, socket: WebSocket): boolean {
  if (!channels.connect(secret, socket)) return false;
  socket.pause();
  return true;
}

/** Closes all sockets; one that still waits must read again, or it would not see the client's answer to that. */
export function closeSockets(channels: WebsocketChannels): void {
  for (const name of Object.keys(channels.secrets)) channels.find(name)?.resume();
  channels.close();
}

async function startCommand(
  services: Pick<Services, 'runtime'>,
  instance: ExecInstance,
  request: ExecRequest,
  folderIsDefault: boolean,
): Promise<ExecProcess> {
  try {
    return await services.runtime.exec(instance.id, request);
  } catch (error) {
    // A home that is not there is no reason to refuse a command that did not ask for it.
    if (!folderIsDefault || request.cwd === '/' || !ApiError.is(error, 'invalid-argument')) throw error;
    return await services.runtime.exec(instance.id, { ...request, cwd: '/' });
  }
}

async function runConnected(
  channels: WebsocketChannels,
  start: () => Promise<ExecProcess>,
  interactive: boolean,
  context: OperationContext,
): Promise<{ return: number }> {
  const over = new AbortController();
  try {
    const opened = (name: string): Promise<WebSocket> => channels.opened(name, connectMs, context.signal);
    const names = interactive ? ['0', 'control'] : ['0', '1', '2'];
    const [first, second, third] = await Promise.all(names.map(opened));
    if (!first || !second) throw new ApiError('internal', 'A websocket is missing');
    const process = await start();
    using _killer = killOnAbort(process, context.signal);
    const control = interactive ? Promise.resolve(second) : channels.opened('control', longest, over.signal);
    control.then(
      socket => controlProcess(socket, process),
      () => undefined, // a client need not control a command that is not interactive
    );
    receiveStream(first, process.stdin);
    if (interactive) return { return: await mirrorTerminal(process, first) };
    const outputs = [sendStream(process.stdout, second)];
    if (process.stderr && third) outputs.push(sendStream(process.stderr, third));
    const [status] = await Promise.all([process.exited, ...outputs]);
    process.stdin.destroy();
    return { return: status };
  } finally {
    over.abort();
    closeSockets(channels);
  }
}

/** Losing the control socket means that nobody waits any more. */
function controlProcess(socket: WebSocket, process: ExecProcess): void {
  receiveMessages(socket, message => {
    if (message['command'] === 'window-resize') resize(process, message['args']);
    const signal = message['signal'];
    if (message['command'] === 'signal' && Number.isInteger(signal)) process.signal(Number(signal));
  });
  socket.on('close', () => process.signal(killSignal));
  if (socket.readyState >= socket.CLOSING) process.signal(killSignal);
}

/** Sizes come as text: {"width": "80", "height": "24"}. */
export function resize(terminal: { resize(columns: number, rows: number): void }, args: unknown): void {
  if (typeof args !== 'object' || args === null) return;
  const { width, height } = args as { readonly width?: unknown; readonly height?: unknown };
  const columns = Number(width);
  const rows = Number(height);
  const good = [columns, rows].every(side => Number.isInteger(side) && side > 0 && side <= 0xffff);
  if (good) terminal.resize(columns, rows);
}

async function mirrorTerminal(process: ExecProcess, socket: WebSocket): Promise<number> {
  const sent = sendStream(process.stdout, socket);
  const status = await process.exited;
  await Promise.race([sent, silence(process.stdout, socket)]);
  process.stdout.destroy();
  await sent;
  return status;
}

/** Resolves when a stream gave nothing for a while although its reader could have taken it. */
async function silence(stream: Readable, socket: WebSocket): Promise<void> {
  let spoke = true;
  const listen = (): void => void (spoke = true);
  stream.on('data', listen);
  while (spoke || stream.isPaused() || socket.bufferedAmount > 0) {
    spoke = false;
    await new Promise(resolve => setTimeout(resolve, silenceMs));
    if (stream.destroyed) break;
  }
  stream.off('data', listen);
}

/** Runs a command that nobody is connected to; its output goes to log files. */
async function runRecorded(
  services: Uses,
  instance: ExecInstance,
  start: () => Promise<ExecProcess>,
  { id }: OperationContext,
): Promise<Readonly<Record<string, unknown>>> {
  const folder = services.paths.logs(instance.id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const process = await start();
  process.stdin.end();
  const names = ['stdout', 'stderr'].map(stream => `exec_${id}.${stream}`);
  const written = [process.stdout, process.stderr].map(async (source, index) => {
    const name = names[index];
    if (source && name) await finished(source.pipe(openRecord(path.join(folder, name))));
  });
  const [status] = await Promise.all([process.exited, ...written]);
  const urls = names.map(name => `/1.0/instances/${instance.name}/logs/${name}`);
  return { return: status, output: { '1': urls[0], '2': urls[1] } };
}

function openRecord(file: string): Writable {
  const target = createWriteStream(file, { flags: 'wx', mode: 0o600 });
  let room = recordLimit;
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const part = chunk.subarray(0, room);
      room -= part.length;
      if (part.length === 0) done();
      else target.write(part, done);
    },
    final: done => void target.end(done),
    destroy(error, done) {
      target.destroy();
      done(error);
    },
  });
}

function killOnAbort(process: ExecProcess, signal: AbortSignal): Disposable {
  const kill = (): void => process.signal(killSignal);
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', kill) };
}
