import { PassThrough, Readable } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { Client } from './client.ts';
import { runProgram } from './exec-session.ts';
import { FakeServer, accepted, operation, sync } from './testing/fake-server.ts';

let server: FakeServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

/** A guest program: gets its input whole, then writes and ends. */
async function program(
  status: number,
  act: (channels: Record<string, WebSocket>, input: string) => void,
): Promise<FakeServer> {
  const channels: Record<string, WebSocket> = {};
  let finish = (): void => undefined;
  let input = '';
  return await FakeServer.start(
    (request, response) => {
      if (request.url.includes('/wait'))
        finish = () => sync(response, operation('e1', { return: status }, 'Success', 200));
      else accepted(response, operation('e1', { fds: { 0: 's0', 1: 's1', 2: 's2', control: 'sc' } }));
    },
    (socket, url) => {
      const name = new URL(url, 'http://x').searchParams.get('secret')?.slice(1) ?? '';
      channels[name] = socket;
      if (name !== '0') return;
      socket.on('message', (data: Buffer, binary: boolean) => {
        if (binary) input += data.toString();
        else {
          act(channels, input);
          setTimeout(() => finish(), 5);
        }
      });
    },
  );
}

function collector(): { stream: PassThrough; text: () => string } {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { stream, text: () => Buffer.concat(chunks).toString() };
}

test('input, output, errors and status go over their channels', async () => {
  server = await program(7, (channels, input) => {
    channels['1']?.send(Buffer.from(`out:${input}`), () => channels['1']?.send(''));
    channels['2']?.send(Buffer.from('err'), () => channels['2']?.send(''));
  });
  const [out, err] = [collector(), collector()];
  const status = await runProgram(
    new Client(server.transport),
    'c1',
    { command: ['cat'], interactive: false },
    { stdin: Readable.from([Buffer.from('abc'), Buffer.from('def')]), stdout: out.stream, stderr: err.stream },
  );
  expect({ status, out: out.text(), err: err.text() }).toEqual({ status: 7, out: 'out:abcdef', err: 'err' });
  expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual({
    command: ['cat'],
    interactive: false,
    'wait-for-websocket': true,
  });
});

test('signals and sizes go over the control channel', async () => {
  const control: string[] = [];
  server = await program(0, channels => {
    channels['c']?.on('message', (data: Buffer) => control.push(data.toString()));
    channels['1']?.close();
    setTimeout(() => channels['2']?.close(), 30);
  });
  const sink = collector().stream;
  await runProgram(
    new Client(server.transport),
    'c1',
    { command: ['top'], interactive: false },
    { stdin: undefined, stdout: sink, stderr: sink },
    handle => {
      setTimeout(() => {
        handle.signal(15);
        handle.resize(80, 25);
      }, 10);
    },
  );
  expect(control.map(message => JSON.parse(message) as unknown)).toEqual([
    { command: 'signal', signal: 15 },
    { command: 'window-resize', args: { width: '80', height: '25' } },
  ]);
});
