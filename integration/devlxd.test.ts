import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';
import { makeGuestClient } from './harness/guest-client.ts';
import { hostPidOfInit } from './harness/processes.ts';

const daemon = useDaemon({ storage: 'dir' });
const socket = '/dev/lxd/sock';

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One request from inside a container. */
async function ask(url: string, name = 'c1', method = 'GET', user = '0'): Promise<Answer> {
  const { stdout } = await daemon.cli(['exec', name, '--user', user, '--', '/bin/guest', socket], {
    input: `${method} ${url} HTTP/1.0\r\n\r\n`,
  });
  const [head = '', ...body] = stdout.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1] ?? 0), body: body.join('\r\n\r\n') };
}

const json = async (url: string, name?: string): Promise<unknown> => JSON.parse((await ask(url, name)).body);

beforeAll(async () => {
  const client = makeGuestClient();
  await daemon.must(
    'launch',
    'tiny',
    'c1',
    '-c',
    'user.color=red',
    '-c',
    'user.meta-data=extra: 1',
    '-c',
    'limits.cpu=1',
  );
  await daemon.must('file', 'push', client.file, 'c1/bin/guest', '--mode', '0755');
  client.remove();
  await daemon.must('copy', 'c1', 'c2', '-c', 'user.color=blue');
  await daemon.must('start', 'c2');
});

test('a guest reads what is meant for it, whoever asks in it', async () => {
  expect(await json('/')).toEqual(['/1.0']);
  expect(await json('/1.0')).toEqual({ api_version: '1.0', location: 'none', instance_type: 'container' });
  expect(await json('/1.0/config')).toEqual(['/1.0/config/user.color', '/1.0/config/user.meta-data']);
  expect(await ask('/1.0/config/user.color')).toEqual({ status: 200, body: 'red' });
  expect(await ask('/1.0/config/user.color', 'c1', 'GET', '1000')).toEqual({ status: 200, body: 'red' });
  expect(await json('/1.0/devices')).toEqual({ root: { type: 'disk', path: '/', pool: 'default' } });
  const config = (await daemon.request('GET', '/1.0/instances/c1')).json?.metadata.config as Record<string, string>;
  expect((await ask('/1.0/meta-data')).body).toBe(
    `#cloud-config\ninstance-id: ${config['volatile.cloud-init.instance-id'] ?? ''}\nlocal-hostname: c1\nextra: 1`,
  );
});

test('each guest is answered about itself', async () => {
  expect((await ask('/1.0/config/user.color', 'c2')).body).toBe('blue');
});

test.each([
  ['GET', '/1.0/config/limits.cpu', 403],
  ['GET', '/1.0/config/volatile.uuid', 403],
  ['GET', '/1.0/config/user.nothere', 404],
  ['GET', '/1.0/config/user.%', 400],
  ['GET', '/1.0/nothere', 404],
  ['GET', '/2.0', 404],
  ['POST', '/1.0/config', 405],
  ['GET', `/1.0/images/${'0'.repeat(64)}/export`, 403],
  ['GET', '/1.0/events?type=all', 400],
])('%s %s is answered with %i', async (method, url, status) => {
  expect((await ask(url, 'c1', method)).status).toBe(status);
});

test('a process of the host is nobody’s guest, even in the mount namespace of one', async () => {
  const place = path.join(`/proc/${String(hostPidOfInit(daemon.directory, 'c1'))}/root`, socket);
  const heard = await new Promise<string>((resolve, reject) => {
    let text = '';
    const connection = net.connect(place, () => connection.write('GET /1.0/config HTTP/1.1\r\nHost: x\r\n\r\n'));
    connection.on('data', chunk => (text += chunk.toString('latin1')));
    connection.on('error', (error: NodeJS.ErrnoException) => {
      // which of the two depends on who is faster
      if (!['ECONNRESET', 'EPIPE'].includes(error.code ?? '')) reject(error);
    });
    connection.on('close', () => resolve(text));
  });
  expect(heard, 'the connection is closed without a word').toBe('');
});

test('images are given only when allowed, and only those that anybody may have', async () => {
  const fingerprint = (await daemon.must('image', 'list', '-f', 'csv', '-c', 'F')).trim();
  await daemon.must('config', 'set', 'c1', 'security.devlxd.images', 'true');
  expect((await ask(`/1.0/images/${fingerprint}/export`)).status).toBe(404);
  expect((await daemon.request('PATCH', `/1.0/images/${fingerprint}`, { public: true })).status).toBe(200);
  const answer = await ask(`/1.0/images/${fingerprint}/export`);
  expect(answer.status).toBe(200);
  expect(answer.body.length).toBeGreaterThan(100_000);
});

test('changes arrive as lines while the stream is open, and go on over websockets', async () => {
  const program = path.join(process.cwd(), 'lxd-like');
  const env = { ...process.env, LXD_LIKE_DIR: daemon.directory, LXD_LIKE_CONF: path.join(daemon.directory, 'client') };
  const upgrade =
    'GET /1.0/events HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
  const heard = ['GET /1.0/events HTTP/1.1\r\nHost: x\r\n\r\n', upgrade].map(start => {
    const child = spawn(program, ['exec', 'c1', '-T', '--', '/bin/guest', socket], { env });
    const stream = { text: '', end: () => child.kill() };
    child.stdout.on('data', (chunk: Buffer) => (stream.text += chunk.toString('latin1')));
    child.stdin.write(start);
    return stream;
  });
  expect(await settled(() => heard.every(({ text }) => text.includes('\r\n\r\n')), 5000)).toBe(true);
  await daemon.must('config', 'set', 'c1', 'user.color', 'green');
  await daemon.must('config', 'device', 'add', 'c1', 'etc', 'disk', 'source=/etc', 'path=/mnt/etc', 'readonly=true');
  await daemon.must('config', 'device', 'remove', 'c1', 'etc');
  await daemon.must('config', 'set', 'c1', 'limits.processes', '100');
  const complete = ({ text }: { text: string }): boolean => text.includes('"removed"');
  expect(await settled(() => heard.every(complete), 5000)).toBe(true);
  for (const { text, end } of heard) {
    expect(text).toContain('"type":"config","metadata":{"key":"user.color","old_value":"red","value":"green"}');
    expect(text).toMatch(/"type":"device","metadata":\{"action":"added","name":"etc","config":\{[^}]*"source":"\/etc"/);
    expect(text).not.toContain('limits.processes');
    end();
  }
});

test('it survives a restart of the daemon, and a flood of half requests', async () => {
  await daemon.terminate();
  await daemon.start();
  expect((await ask('/1.0/config/user.color')).body).toBe('green');
  const flood = `for i in $(seq 100); do (printf 'GET / HT'; sleep 3) | /bin/guest ${socket} & done; sleep 1`;
  const flooding = daemon.cli(['exec', 'c1', '--', 'sh', '-c', flood]);
  await new Promise(resolve => setTimeout(resolve, 1500));
  expect((await ask('/1.0/config/user.color', 'c2')).body).toBe('blue');
  await flooding;
  expect(await settled(async () => (await ask('/1.0/config/user.color')).status === 200, 15_000)).toBe(true);
});

test('security.devlxd takes it away and brings it back at once', async () => {
  await daemon.must('config', 'set', 'c1', 'security.devlxd', 'false');
  expect((await ask('/1.0')).status).toBe(0);
  await daemon.must('config', 'set', 'c1', 'security.devlxd', 'true');
  expect((await ask('/1.0')).status).toBe(200);
  await daemon.must('config', 'set', 'c2', 'security.devlxd', 'false');
  await daemon.must('restart', 'c2', '--force');
  expect(existsSync(path.join(`/proc/${String(hostPidOfInit(daemon.directory, 'c2'))}/root`, socket))).toBe(false);
});
