import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { ApiError } from '#api/error.ts';
import type { InstanceExecPost } from '#api/instance.ts';
import type { Operation } from '#api/operation.ts';
import { silentLog } from '#base/log.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { OperationRequest, Operations } from '../operations/operation.ts';
import { StatePaths } from '../paths.ts';
import type { ContainerStatus, ExecProcess, ExecRequest, Runtime } from '../runtime/runtime.ts';
import { execInstance, type ExecInstance } from './exec.ts';
import { receive, websocketPair, type Received } from './testing/websocket-pair.ts';

type Task = NonNullable<Parameters<Operations['run']>[1]>;

let folder: string;
let started: { request: OperationRequest; result: ReturnType<Task>; aborter: AbortController } | undefined;
let status: ContainerStatus;
let requests: ExecRequest[];
const instance: ExecInstance = { project: 'default', name: 'c1', id: 'c1', config: { 'environment.A': 'instance' } };

beforeEach(() => {
  folder = mkdtempSync('/tmp/exec-test-');
  status = 'running';
  requests = [];
});
afterEach(async () => {
  started?.aborter.abort(new Error('the test is over'));
  await started?.result.catch(() => undefined);
  rmSync(folder, { recursive: true });
});

/** Runs commands on the host in the place of a container. */
async function hostExec(_id: string, request: ExecRequest): Promise<ExecProcess> {
  requests.push(request);
  if (request.cwd === '/root/missing') throw new ApiError('invalid-argument', 'Cannot run in folder');
  const [program = '', ...args] = request.command;
  const child = spawn(program, args, { env: { PATH: '/bin:/usr/bin' } });
  child.stdin.on('error', () => undefined);
  if (request.nullStdio) child.stdin.end();
  await once(child, 'spawn');
  const exited = once(child, 'exit').then(([code, signal]) =>
    code === null ? 128 + constants.signals[signal as NodeJS.Signals] : (code as number),
  );
  return {
    pid: child.pid ?? 0,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: request.terminal ? undefined : child.stderr,
    exited,
    resize: (columns, rows) => child.stdin.write(`${String(columns)}x${String(rows)}\n`),
    signal: number => void child.kill(number),
  };
}

function exec(post: InstanceExecPost): Operation {
  const runtime = { status: () => status, exec: hostExec } as unknown as Runtime;
  const events: EventBus = { emit: () => undefined, subscribe: () => () => undefined };
  const operations = {
    run: (request: OperationRequest, task: Task) => {
      const aborter = new AbortController();
      const result = task({ id: 'op', signal: aborter.signal, update: () => undefined });
      result.catch(() => undefined);
      started = { request, result, aborter };
      return { id: 'op', metadata: request.metadata ?? null } as unknown as Operation;
    },
  } as unknown as Operations;
  return execInstance({ runtime, events, operations, paths: new StatePaths(folder), log: silentLog }, instance, post);
}

function secretOf(operation: Operation, name: string): string {
  const fds = operation.metadata?.['fds'] as Readonly<Record<string, string>> | undefined;
  return fds?.[name] ?? '';
}

async function connect(operation: Operation, name: string): Promise<{ client: WebSocket; received: Received }> {
  const secret = secretOf(operation, name);
  const { server, client } = await websocketPair();
  const received = receive(client);
  expect(started?.request.connect?.(secret, server)).toBe(true);
  return { client, received };
}

const sockets = { 'wait-for-websocket': true } as const;

describe('exec over websockets', () => {
  test('gives output and errors on their sockets, each with its end, and the status', async () => {
    const operation = exec({ command: ['sh', '-c', 'cat; echo err >&2; exit 7'], ...sockets });
    const stdin = await connect(operation, '0');
    stdin.client.send(Buffer.from('early ')); // before the command runs
    const out = await connect(operation, '1');
    const err = await connect(operation, '2');
    stdin.client.send(Buffer.from('late'));
    stdin.client.send('');
    expect(await started?.result).toEqual({ return: 7 });
    expect(await Promise.all([out.received.closed, err.received.closed, stdin.received.closed])).toEqual([
      1005, 1005, 1005,
    ]);
    expect([out.received.binary(), out.received.ends()]).toEqual(['early late', 1]);
    expect([err.received.binary(), err.received.ends()]).toEqual(['err\n', 1]);
  });

  test('kills the command when the control socket is lost', async () => {
    const operation = exec({ command: ['sleep', '100'], ...sockets });
    const control = await connect(operation, 'control');
    for (const name of ['0', '1', '2']) await connect(operation, name);
    await delay(50);
    control.client.terminate();
    expect(await started?.result).toEqual({ return: 137 });
  });

  test('passes signals and ignores messages that make no sense', async () => {
    const operation = exec({ command: ['sleep', '100'], ...sockets });
    for (const name of ['0', '1', '2']) await connect(operation, name);
    const { client } = await connect(operation, 'control');
    await delay(50);
    for (const text of [
      '',
      'null',
      '[]',
      '{"command":5}',
      '{"command":"window-resize"}',
      '{"command":"signal","signal":"x"}',
    ])
      client.send(text);
    client.send(JSON.stringify({ command: 'signal', signal: 15 }));
    expect(await started?.result).toEqual({ return: 143 });
  });

  test('resizes a terminal and ends its one stream', async () => {
    const operation = exec({ command: ['sh', '-c', 'read size; echo "$size"'], interactive: true, ...sockets });
    expect(Object.keys(operation.metadata?.['fds'] as object)).toEqual(['0', 'control']);
    const screen = await connect(operation, '0');
    const control = await connect(operation, 'control');
    control.client.send(JSON.stringify({ command: 'window-resize', args: { width: '120', height: '40' } }));
    expect(await started?.result).toEqual({ return: 0 });
    await screen.received.closed;
    expect(screen.received.binary()).toBe('120x40\n');
    expect(requests[0]?.terminal).toEqual({ columns: 80, rows: 25 });
  });

  test('does not wait for programs that keep a terminal open', async () => {
    const operation = exec({ command: ['sh', '-c', 'sleep 3 & echo started'], interactive: true, ...sockets });
    const screen = await connect(operation, '0');
    await connect(operation, 'control');
    const before = Date.now();
    expect(await started?.result).toEqual({ return: 0 });
    await screen.received.closed;
    expect(screen.received.binary()).toBe('started\n');
    expect(Date.now() - before).toBeLessThan(2_000);
  });

  test('fails when nobody connects in time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      exec({ command: ['true'], ...sockets });
      vi.advanceTimersByTime(5_000);
    } finally {
      vi.useRealTimers();
    }
    await expect(started?.result).rejects.toMatchObject({ code: 'unavailable' });
    expect(requests).toEqual([]);
  });

  test('holds back a command whose reader is slow', async () => {
    const operation = exec({ command: ['head', '-c', '200000000', '/dev/zero'], ...sockets });
    await connect(operation, '0');
    const secret = secretOf(operation, '1');
    const { server, client } = await websocketPair();
    let bytes = 0;
    client.on('message', data => (bytes += (data as Buffer).length));
    client.pause();
    started?.request.connect?.(secret, server);
    await connect(operation, '2');
    await delay(300);
    expect(server.bufferedAmount).toBeLessThan(3 * 2 ** 20);
    client.resume();
    expect(await started?.result).toEqual({ return: 0 });
    await once(client, 'close');
    expect(bytes).toBe(200_000_000);
  });
});

describe('exec alone', () => {
  test('gives the status, with an empty input and no output kept', async () => {
    exec({ command: ['sh', '-c', 'cat; echo lost; exit 3'] });
    expect(await started?.result).toEqual({ return: 3 });
  });

  test('records output and errors in log files', async () => {
    exec({ command: ['sh', '-c', 'echo out; echo err >&2'], 'record-output': true, interactive: true });
    expect(await started?.result).toEqual({
      return: 0,
      output: { '1': '/1.0/instances/c1/logs/exec_op.stdout', '2': '/1.0/instances/c1/logs/exec_op.stderr' },
    });
    expect(readFileSync(`${folder}/logs/c1/exec_op.stdout`, 'utf8')).toBe('out\n');
    expect(readFileSync(`${folder}/logs/c1/exec_op.stderr`, 'utf8')).toBe('err\n');
  });

  test('goes to / when the home is not there, unless a folder was asked for', async () => {
    exec({ command: ['true'], environment: { HOME: '/root/missing' } });
    expect(await started?.result).toEqual({ return: 0 });
    expect(requests.map(request => request.cwd)).toEqual(['/root/missing', '/']);
    exec({ command: ['true'], cwd: '/root/missing' });
    await expect(started?.result).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

describe('what is refused at once', () => {
  test.each<[string, InstanceExecPost]>([
    ['no command', { command: [] }],
    ['an empty command', { command: [''] }],
    ['NUL in an argument', { command: ['a', '\0'] }],
    ['NUL in the environment', { command: ['a'], environment: { A: '\0' } }],
    ['a variable with =', { command: ['a'], environment: { 'A=B': '' } }],
    ['a relative folder', { command: ['a'], cwd: 'tmp' }],
    ['a user out of range', { command: ['a'], user: 2 ** 32 }],
    ['a window out of range', { command: ['a'], interactive: true, width: 70_000, ...sockets }],
  ])('%s', (_what, post) => {
    expect(() => exec(post)).toThrow(expect.objectContaining({ code: 'invalid-argument' }) as Error);
  });

  test.each<ContainerStatus>(['stopped', 'frozen'])('a %s instance, saying what to do', kernel => {
    status = kernel;
    expect(() => exec({ command: ['true'] })).toThrow(/; (start|unfreeze) it first$/);
  });
});

test('the environment is the default, then the instance, then the request', async () => {
  exec({ command: ['true'], environment: { A: 'request', HOME: '/tmp' }, user: 0 });
  await started?.result;
  expect(requests[0]?.environment).toEqual({
    container: 'lxc',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin',
    LANG: 'C.UTF-8',
    HOME: '/tmp',
    USER: 'root',
    A: 'request',
  });
});
