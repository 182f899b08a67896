import { createSocket } from 'node:dgram';
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';
import { freePort } from './harness/free-port.ts';
import { runProgram } from './harness/run-program.ts';

const daemon = useDaemon({ storage: 'btrfs', network: true });
const env = { PATH: process.env['PATH'] ?? '' };

beforeAll(async () => {
  await daemon.must('launch', 'tiny', 'c1');
  // what the proxies lead to
  await inside('mkdir -p /srv && echo inside >/srv/index.html && httpd -p 127.0.0.1:80 -h /srv');
});

async function inside(command: string): Promise<string> {
  return await daemon.must('exec', 'c1', '--', 'sh', '-c', command);
}

async function add(name: string, ...options: readonly string[]): Promise<void> {
  await daemon.must('config', 'device', 'add', 'c1', name, 'proxy', ...options);
}

async function remove(name: string): Promise<void> {
  await daemon.must('config', 'device', 'remove', 'c1', name);
}

async function get(...where: readonly string[]): Promise<string> {
  return (await runProgram('curl', ['-s', '-m', '5', ...where], { env })).stdout;
}

describe('the host listens', () => {
  test('on a port, for a server of the instance', async () => {
    const port = String(await freePort());
    await add('web', `listen=tcp:127.0.0.1:${port}`, 'connect=tcp:127.0.0.1:80');
    expect(await get(`http://127.0.0.1:${port}/`)).toBe('inside\n');
    await remove('web');
    expect(await get(`http://127.0.0.1:${port}/`)).toBe('');
  });

  test('on several ports and on IPv6', async () => {
    await add('web', 'listen=tcp:[::1]:48080-48081', 'connect=tcp:127.0.0.1:80');
    for (const port of [48080, 48081]) expect(await get(`http://[::1]:${String(port)}/`)).toBe('inside\n');
    await remove('web');
  });

  test('on a unix socket with owner and mode, gone with the device', async () => {
    const socket = path.join(daemon.directory, 'web.sock');
    await add('web', `listen=unix:${socket}`, 'connect=tcp:127.0.0.1:80', 'uid=1000', 'gid=1001', 'mode=0600');
    const { uid, gid, mode } = lstatSync(socket);
    expect([uid, gid, mode & 0o777]).toEqual([1000, 1001, 0o600]);
    expect(await get('--unix-socket', socket, 'http://x/')).toBe('inside\n');
    await remove('web');
    expect(existsSync(socket)).toBe(false);
  });

  test('with a line that names the client', async () => {
    await inside('nc -l -p 99 >/root/line </dev/null 2>/dev/null &');
    const port = await freePort();
    await add('web', `listen=tcp:127.0.0.1:${String(port)}`, 'connect=tcp:127.0.0.1:99', 'proxy_protocol=true');
    await get(`http://127.0.0.1:${String(port)}/`);
    await settled(async () => (await inside('cat /root/line')) !== '');
    expect(await inside('head -n 1 /root/line')).toMatch(/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n$/);
    await remove('web');
  });

  test('and translates in the kernel with nat', async () => {
    const address = /"(10\.[\d.]+)"/.exec(await daemon.must('list', 'c1', '--format', 'json'))?.[1] ?? '';
    const host = (await daemon.must('network', 'get', daemon.bridge, 'ipv4.address')).split('/')[0] ?? '';
    await inside(`httpd -p ${address}:8080 -h /srv`);
    await daemon.must('config', 'device', 'override', 'c1', 'eth0', `ipv4.address=${address}`);
    await add('web', `listen=tcp:${host}:48090`, `connect=tcp:${address}:8080`, 'nat=true');
    expect(await get(`http://${host}:48090/`)).toBe('inside\n');
    const rules = async (): Promise<string> =>
      (await runProgram('nft', ['list', 'table', 'inet', `lxd_like_${daemon.tag}`], { env })).stdout;
    expect(await rules()).toContain('chain prert.c1.web');
    await remove('web');
    expect(await rules()).not.toContain('c1.web');
  });
});

describe('the instance listens', () => {
  let server: Server;
  let port: number;
  const open = new Set<Socket>();
  beforeAll(async () => {
    server = createServer(socket => {
      open.add(socket);
      socket.end('outside\n');
    }).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    ({ port } = server.address() as { port: number });
  });
  afterAll(() => server.close());

  test('on a port and on a unix socket, for a server of the host', async () => {
    const connect = `connect=tcp:127.0.0.1:${String(port)}`;
    await add('out', 'listen=tcp:127.0.0.1:3306', connect, 'bind=instance', 'security.uid=65534', 'security.gid=65534');
    expect(await inside('nc 127.0.0.1 3306 </dev/null')).toBe('outside\n');
    await remove('out');
    await add('out', 'listen=unix:/run/out.sock', connect, 'bind=instance', 'mode=0666');
    expect(await inside('test -S /run/out.sock && stat -c %a /run/out.sock')).toBe('666\n');
    await remove('out');
  });
});

describe('datagrams', () => {
  test('reach an echo on the host, and their answers come back', async () => {
    const echo = createSocket('udp4');
    echo.on('message', (message, { address, port }) => echo.send(`echo ${message.toString()}`, port, address));
    await new Promise<void>(resolve => echo.bind(0, '127.0.0.1', resolve));
    const { port } = echo.address();
    await add('dns', 'listen=udp:127.0.0.1:53', `connect=udp:127.0.0.1:${String(port)}`, 'bind=instance');
    const state = (await daemon.request('GET', '/1.0/instances/c1/state')).json;
    const pid = String((state?.metadata as { pid: number } | undefined)?.pid);
    const client = ['-t', pid, '-n', 'socat', '-T1', '-', 'UDP:127.0.0.1:53'];
    expect((await runProgram('nsenter', client, { env, input: 'ping' })).stdout).toBe('echo ping');
    await remove('dns');
    echo.close();
  });
});

test('a proxy goes on without the daemon, and ends with its instance', async () => {
  const port = String(await freePort());
  await add('web', `listen=tcp:127.0.0.1:${port}`, 'connect=tcp:127.0.0.1:80');
  await daemon.kill();
  expect(await get(`http://127.0.0.1:${port}/`)).toBe('inside\n');
  await daemon.start();
  expect(await get(`http://127.0.0.1:${port}/`)).toBe('inside\n');
  await daemon.must('restart', 'c1', '--force');
  await inside('httpd -p 127.0.0.1:80 -h /srv');
  expect(await get(`http://127.0.0.1:${port}/`)).toBe('inside\n');
  await daemon.must('stop', 'c1', '--force');
  expect(await get(`http://127.0.0.1:${port}/`)).toBe('');
  expect(readdirSync(path.join(daemon.directory, 'logs', 'c1'))).toContain('proxy.web.log');
  await remove('web');
});

test('an address that is taken, and options that do not fit, are refused by name', async () => {
  await daemon.must('start', 'c1');
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const refused = async (...options: readonly string[]): Promise<string> => {
    const { status, stderr } = await daemon.cli(['config', 'device', 'add', 'c1', 'bad', 'proxy', ...options]);
    expect(status).toBe(1);
    return stderr;
  };
  const connect = 'connect=tcp:127.0.0.1:80';
  expect(await refused(`listen=tcp:127.0.0.1:${String(port)}`, connect)).toContain('Address already in use');
  expect(await refused('listen=tcp:host:1', connect)).toContain('"listen"');
  expect(await refused('listen=tcp:127.0.0.1:1', connect, 'mode=0600')).toContain('"mode"');
  expect(await refused('listen=tcp:0.0.0.0:1', connect, 'nat=true')).toContain('"listen"');
  expect(await refused('listen=tcp:127.0.0.1:1-3', 'connect=tcp:127.0.0.1:1-2')).toContain('"connect"');
  expect(await refused('listen=unix:/x', 'connect=unix:/y', 'proxy_protocol=true')).toContain('"proxy_protocol"');
  expect(await daemon.must('config', 'device', 'list', 'c1')).not.toContain('bad');
  server.close();
});
