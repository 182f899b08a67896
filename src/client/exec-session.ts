import type { Readable, Writable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import type { InstanceExecPost } from '#api/instance.ts';
import type { Client } from './client.ts';
import type { OperationHandle } from './operation-handle.ts';
import type { Socket } from './websocket.ts';

export interface ProgramStreams {
  /** undefined = the program reads an empty input */
  readonly stdin: Readable | undefined;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Asks of a running program: the control channel of exec and console. */
export interface ProgramControl {
  resize(columns: number, rows: number): void;
  /** a signal by its Linux number; not for a console */
  signal(number: number): void;
  /** ends the session: the program is killed, a console is left */
  leave(): void;
}

/** Runs a program in an instance; gives its exit status. `onStart` gets the control once the streams are connected. */
export async function runProgram(
  client: Client,
  instance: string,
  request: InstanceExecPost,
  streams: ProgramStreams,
  onStart: (control: ProgramControl) => void = () => undefined,
): Promise<number> {
  const handle = await client.instances.exec(instance, { ...request, 'wait-for-websocket': true });
  const ended = handle.wait();
  ended.catch(() => undefined); // awaited below; an earlier failure to connect is told first
  const channels = request.interactive ? ['0'] : ['0', '1', '2'];
  const sockets = await connectAll(client, handle, ['control', ...channels]);
  const [control, input, output, errors] = sockets;
  if (!control || !input) throw new Error('exec has too few channels');
  onStart(controlOver(control, sockets));
  const input_ = copyInput(input, streams.stdin, request.interactive === true);
  const outputs = request.interactive
    ? [copyOutput(input, streams.stdout)]
    : [copyOutput(output, streams.stdout), copyOutput(errors, streams.stderr)];
  try {
    await Promise.all(outputs);
    const { metadata } = await ended;
    const status = metadata?.['return'];
    if (typeof status !== 'number') throw new ApiError('internal', 'The server did not tell how the program ended');
    return status;
  } finally {
    input_.stop();
    for (const socket of sockets) socket.close();
  }
}

/** Attaches to the console of an instance until `leave()` is called or the instance stops. */
export async function attachConsole(
  client: Client,
  instance: string,
  size: { readonly width: number; readonly height: number },
  streams: Pick<ProgramStreams, 'stdin' | 'stdout'>,
  onStart: (control: ProgramControl) => void,
): Promise<void> {
  const handle = await client.instances.console(instance, { ...size, type: 'console' });
  const ended = handle.wait();
  ended.catch(() => undefined);
  const sockets = await connectAll(client, handle, ['control', '0']);
  const [control, screen] = sockets;
  if (!control || !screen) throw new Error('the console has too few channels');
  onStart(controlOver(control, sockets));
  const input = copyInput(screen, streams.stdin, true);
  try {
    await copyOutput(screen, streams.stdout);
  } finally {
    input.stop();
    for (const socket of sockets) socket.close();
  }
}

async function connectAll(client: Client, handle: OperationHandle, names: readonly string[]): Promise<Socket[]> {
  const secrets = handle.operation.metadata?.['fds'] as Readonly<Record<string, string>> | undefined;
  return await Promise.all(
    names.map(name => client.transport.socket(`${handle.path}/websocket`, { secret: secrets?.[name] ?? '' })),
  );
}

function controlOver(control: Socket, sockets: readonly Socket[]): ProgramControl {
  const send = (message: object): void => {
    if (control.readyState === control.OPEN) control.send(JSON.stringify(message));
  };
  control.on('error', () => undefined);
  control.resume();
  return {
    resize: (columns, rows) =>
      send({ command: 'window-resize', args: { width: String(columns), height: String(rows) } }),
    signal: number => send({ command: 'signal', signal: number }),
    leave: () => {
      for (const socket of sockets) socket.close();
    },
  };
}

/** Bytes in the socket's queue above which reading the input pauses. */
const inputWindow = 1 << 20;

function copyInput(socket: Socket, stdin: Readable | undefined, interactive: boolean): { stop(): void } {
  const finish = (): void => {
    // An empty text message ends the stream and leaves the channel open for the other direction.
    if (socket.readyState === socket.OPEN && !interactive) socket.send('');
  };
  socket.on('error', () => undefined);
  socket.resume();
  if (!stdin) {
    finish();
    return { stop: () => undefined };
  }
  const forward = (chunk: Buffer): void => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(chunk, () => {
      if (socket.bufferedAmount < inputWindow) stdin.resume();
    });
    if (socket.bufferedAmount >= inputWindow) stdin.pause();
  };
  const stop = (): void => {
    stdin.off('data', forward).off('end', finish);
    stdin.pause();
  };
  // The program may close its input and go on: then nobody reads what is left.
  socket.on('close', stop);
  stdin.on('data', forward).on('end', finish).resume();
  return { stop };
}

/** Writes what comes until the end-of-stream barrier or the end of the socket. */
async function copyOutput(socket: Socket | undefined, sink: Writable): Promise<void> {
  if (!socket) return;
  await new Promise<void>(resolve => {
    let full = false;
    socket.on('message', (data: Buffer, binary: boolean) => {
      if (!binary && data.length === 0) resolve();
      else if (!sink.write(data) && !full) {
        // Messages that were received already still come after the pause.
        full = true;
        socket.pause();
        sink.once('drain', () => {
          full = false;
          socket.resume();
        });
      }
    });
    socket.on('close', () => resolve());
    socket.on('error', () => resolve());
    socket.resume();
  });
}
