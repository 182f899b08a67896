import { afterEach, describe, expect, test } from 'vitest';
import { Readable } from 'node:stream';
import { Client } from './client.ts';
import { FakeServer, accepted, failure, operation, sync } from './testing/fake-server.ts';
import { readAll, Transport } from './transport.ts';

let server: FakeServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

describe('call()', () => {
  test('gives metadata and ETag, and sends project, query and If-Match', async () => {
    server = await FakeServer.start((_request, response) => sync(response, { a: 'ü' }, { etag: '"x"' }));
    const transport = server.transport.inProject('web');
    const answer = await transport.call('PUT', '/1.0/profiles/p', {
      body: { b: 1 },
      ifMatch: '"y"',
      query: { plan: 1 },
    });
    expect(answer).toEqual({ metadata: { a: 'ü' }, etag: '"x"', operation: undefined });
    expect(server.seen).toMatchObject([
      { method: 'PUT', url: '/1.0/profiles/p?plan=1&project=web', body: '{"b":1}', headers: { 'if-match': '"y"' } },
    ]);
  });

  test('reads chunked answers of any size', async () => {
    const long = 'x'.repeat(300_000);
    server = await FakeServer.start((_request, response) => sync(response, { long, list: [1, 2] }));
    expect((await server.transport.call('GET', '/1.0')).metadata).toEqual({ long, list: [1, 2] });
  });

  test('brings back the code of our own server', async () => {
    server = await FakeServer.start((_request, response) => failure(response, 409, 'Instance "c1" is busy', 'busy'));
    await expect(server.transport.call('GET', '/1.0')).rejects.toMatchObject({
      code: 'busy',
      message: 'Instance "c1" is busy',
    });
  });

  test('finds the code of another server by its status', async () => {
    server = await FakeServer.start((_request, response) => failure(response, 404, 'Not Found'));
    await expect(server.transport.call('GET', '/1.0')).rejects.toMatchObject({
      code: 'not-found',
      message: 'Not Found',
    });
  });

  test('says what to do when no daemon listens', async () => {
    const transport = new Transport({ kind: 'unix', path: '/nonexistent/unix.socket' });
    await expect(transport.call('GET', '/1.0')).rejects.toThrow(/not running. Start it with "lxd-like daemon"/);
  });

  test('an answer that stops in the middle is an error', async () => {
    server = await FakeServer.start((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"type":');
      setTimeout(() => response.destroy(), 10);
    });
    await expect(server.transport.call('GET', '/1.0')).rejects.toThrow(/middle of an answer/);
  });

  test('refuses header values with line breaks', async () => {
    server = await FakeServer.start((_request, response) => sync(response, {}));
    await expect(server.transport.call('GET', '/1.0', { headers: { 'x-a': 'b\r\nx: y' } })).rejects.toThrow(
      /line break/,
    );
  });
});

test('uploads are streamed and downloads are given as they come', async () => {
  server = await FakeServer.start((request, response) => {
    if (request.method === 'POST') sync(response, {});
    else response.writeHead(200, { 'x-lxd-mode': '0600' }).end('content');
  });
  const client = new Client(server.transport);
  await client.instances.files('c1').put('/a b', {
    upload: Readable.from(['one', 'two']),
    headers: { 'x-lxd-type': 'file' },
  });
  expect(server.seen[0]).toMatchObject({ url: '/1.0/instances/c1/files?path=%2Fa+b', body: 'onetwo' });
  const file = await client.instances.files('c1').get('/a');
  expect([file.headers['x-lxd-mode'], await readAll(file.body)]).toEqual(['0600', 'content']);
});

describe('operations', () => {
  const answers =
    (final: object) =>
    (request: { url: string; method: string }, response: Parameters<typeof sync>[0]): void => {
      if (request.url.includes('/wait')) sync(response, final);
      else accepted(response, operation('op1'));
    };

  test('wait() gives the finished operation', async () => {
    server = await FakeServer.start(answers(operation('op1', { return: 3 }, 'Success', 200)));
    const handle = await new Client(server.transport).instances.delete('c1');
    expect((await handle?.wait())?.metadata).toEqual({ return: 3 });
    expect(server.seen.map(request => request.url)).toEqual([
      '/1.0/instances/c1',
      '/1.0/operations/op1/wait?timeout=-1',
    ]);
  });

  test('wait() rejects with the reason of a failure', async () => {
    server = await FakeServer.start(answers({ ...operation('op1', null, 'Failure', 400), err: 'No space is left' }));
    const handle = await new Client(server.transport).instances.delete('c1');
    await expect(handle?.wait()).rejects.toThrow('No space is left');
  });

  test('updates are told while waiting', async () => {
    let finish = (): void => undefined;
    server = await FakeServer.start(
      (request, response) => {
        if (request.url.includes('/wait')) finish = () => sync(response, operation('op1', null, 'Success', 200));
        else accepted(response, operation('op1'));
      },
      socket => {
        const event = { type: 'operation', metadata: operation('op1', { step: 'Unpacking', percent: 40 }) };
        socket.send(JSON.stringify(event), () => setTimeout(finish, 20));
      },
    );
    const updates: unknown[] = [];
    const handle = await new Client(server.transport).instances.delete('c1');
    await handle?.wait({ onUpdate: update => updates.push(update.metadata) });
    expect(updates).toEqual([{ step: 'Unpacking', percent: 40 }]);
  });
});
