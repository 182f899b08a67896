import net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { InnerDaemon } from './testing/test-daemon.ts';

let daemon: InnerDaemon;
beforeAll(async () => {
  daemon = await InnerDaemon.start();
  await daemon.daemon.ready();
});
afterAll(() => daemon.stop());

describe('answers', () => {
  test('carry all seven members of the envelope', async () => {
    const { status, headers, json } = await daemon.ask('GET', '/');
    expect([status, headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
    expect(json).toEqual({
      type: 'sync',
      status: 'Success',
      status_code: 200,
      operation: '',
      error_code: 0,
      error: '',
      metadata: ['/1.0'],
    });
  });

  test.each([
    ['GET', '/1.0/nothing', 404],
    ['GET', '/1.0/', 404],
    ['GET', '/1.0//operations', 404],
    ['DELETE', '/1.0', 501],
    ['GET', '/1.0/operations/%2e%2e', 400],
    ['GET', '/1.0/operations/a%2Fb', 400],
    ['GET', '/1.0/operations/%00', 400],
    ['GET', '/1.0/operations/%', 400],
    ['GET', '/1.0/operations/%25', 404],
    ['GET', '/1.0/operations/__proto__', 404],
    ['GET', '/1.0/operations?project=nothing', 404],
    ['GET', '/1.0/certificates/%25', 404],
    ['GET', '/1.0/events', 501],
  ])('%s %s gives %i in an envelope', async (method, target, status) => {
    const answer = await daemon.ask(method, target);
    expect([answer.status, answer.json.type, answer.json.error_code]).toEqual([status, 'error', status]);
    expect(answer.json.error).not.toBe('');
  });

  test('to HEAD have no body', async () => {
    const { status, json } = await daemon.ask('HEAD', '/1.0');
    expect([status, json]).toEqual([200, undefined]);
  });
});

describe('bodies', () => {
  test.each([
    ['malformed JSON', '{"config": ', 'not valid JSON'],
    ['nothing', '', 'needs a JSON body'],
    ['null', 'null', 'body'],
    ['a list', '[]', 'body'],
    ['a wrong type', '{"config": 5}', 'config'],
    ['a number where text belongs', '{"config": {"user.x": 5}}', 'config.user.x'],
    ['null where text belongs', '{"config": {"user.x": null}}', 'config.user.x'],
    ['a poisoned prototype', '{"config": {"__proto__": "x"}}', 'prototype'],
    ['a deep body', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'deep'],
    ['an unknown key', '{"config": {"no.such": "1"}}', 'no.such'],
    ['a line break', '{"config": {"core.proxy_http": "a\\nb"}}', 'core.proxy_http'],
  ])('with %s are refused', async (_what, body, text) => {
    const { status, json } = await daemon.ask('PATCH', '/1.0', { body });
    expect([status, json.error]).toEqual([400, expect.stringContaining(text)]);
  });

  test('that are huge are refused before they are read', async () => {
    const body = JSON.stringify({ config: { 'user.x': 'x'.repeat(8 * 2 ** 20) } });
    const status = await daemon.ask('PATCH', '/1.0', { body }).then(
      answer => answer.status,
      () => 400, // the connection was closed while we still wrote
    );
    expect(status).toBe(400);
    expect((await daemon.ask('GET', '/1.0')).status).toBe(200);
  });

  test('may leave members null, as clients in Go do', async () => {
    expect((await daemon.ask('PATCH', '/1.0', { body: '{"config": null}' })).status).toBe(200);
  });
});

describe('requests from web pages of other origins', () => {
  test.each([{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }])(
    'are refused: %o',
    async headers => {
      expect((await daemon.ask('GET', '/1.0', { headers })).status).toBe(403);
    },
  );

  test('an origin that a library made up is let in on the unix socket', async () => {
    expect((await daemon.ask('GET', '/1.0', { headers: { origin: 'http://localhost' } })).status).toBe(200);
  });
});

describe('websockets', () => {
  const url = (target: string): string => `ws+unix://${daemon.paths.socket}:${target}`;
  const refusal = async (target: string): Promise<number> =>
    await new Promise(resolve => {
      const socket = new WebSocket(url(target));
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      socket.on('open', () => resolve(101));
      socket.on('error', () => undefined);
    });

  test('of events get what happens', async () => {
    const socket = new WebSocket(url('/1.0/events?type=lifecycle'));
    await new Promise(resolve => socket.once('open', resolve));
    const message = new Promise<string>(resolve => socket.once('message', (data: Buffer) => resolve(data.toString())));
    await daemon.ask('PATCH', '/1.0', { body: { config: { 'user.events': String(Math.random()) } } });
    expect(JSON.parse(await message)).toMatchObject({
      type: 'lifecycle',
      location: 'none',
      metadata: { action: 'config-updated', source: '/1.0', requestor: { protocol: 'unix', username: 'root' } },
    });
    socket.close();
  });

  test.each([
    ['/1.0/nothing', 404],
    ['/1.0/events?type=nothing', 400],
    ['/1.0/events?all-projects=true&project=default', 400],
    ['/1.0/operations/x/websocket', 403],
    ['/1.0/operations/x/websocket?secret=y', 404],
  ])('at %s are refused with %i', async (target, status) => {
    expect(await refusal(target)).toBe(status);
  });
});

test('a request that is no HTTP ends its connection and nothing else', async () => {
  const socket = net.connect(daemon.paths.socket);
  socket.write('\0\0\0 nonsense\r\n\r\n');
  await new Promise(resolve => socket.once('close', resolve).resume());
  expect((await daemon.ask('GET', '/')).status).toBe(200);
});

test('the daemon says when it is ready', async () => {
  expect((await daemon.ask('GET', '/internal/ready')).status).toBe(200);
});

test('a second daemon on the same directory is refused', async () => {
  await expect(InnerDaemon.start(daemon.paths.root)).rejects.toThrow('Another daemon is running');
});
