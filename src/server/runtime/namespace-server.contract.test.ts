import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '#base/log.ts';
import { NamespaceServer } from './namespace-server.ts';
import type { ExecProcess, ExecRequest } from './runtime.ts';
import { startTinyContainer, testIdmap, type TinyContainer } from './testing/tiny-container.ts';

let container: TinyContainer;
let server: NamespaceServer;
const base: Omit<ExecRequest, 'command'> = { environment: { PATH: '/bin' }, uid: 0, gid: 0, cwd: '/' };

beforeAll(async () => {
  container = startTinyContainer();
  server = await NamespaceServer.start(silentLog);
});
afterAll(async () => {
  await server.close();
  container[Symbol.dispose]();
});

async function start(command: readonly string[], more: Partial<ExecRequest> = {}): Promise<ExecProcess> {
  return await server.exec(container.target, { ...base, ...more, command });
}

async function text(stream: Readable | undefined): Promise<string> {
  const parts: Buffer[] = [];
  if (stream) for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

async function run(
  command: readonly string[],
  more: Partial<ExecRequest> = {},
  input = '',
): Promise<{ status: number; stdout: string; stderr: string }> {
  const process = await start(command, more);
  process.stdin.end(input);
  const [stdout, stderr, status] = await Promise.all([text(process.stdout), text(process.stderr), process.exited]);
  return { status, stdout, stderr };
}

const sh = async (script: string, more: Partial<ExecRequest> = {}, input = ''): ReturnType<typeof run> =>
  await run(['sh', '-c', script], more, input);

describe('exec', () => {
  test('gives output, errors and status apart', async () => {
    expect(await sh('echo out; echo err >&2; exit 7')).toEqual({ status: 7, stdout: 'out\n', stderr: 'err\n' });
  });

  test.each([
    [['no-such-command'], 127],
    [['/etc/passwd'], 126],
    [['sh', '-c', 'kill -KILL $$'], 137],
  ])('%j ends with %i', async (command, status) => {
    expect((await run(command)).status).toBe(status);
  });

  test('runs as the user, in the folder and with nothing but the environment asked for', async () => {
    const options = { uid: 1000, gid: 1001, cwd: '/tmp', environment: { PATH: '/bin', A: 'b c' } };
    expect((await run(['env'], options)).stdout.split('\n').sort()).toEqual(['', 'A=b c', 'PATH=/bin']);
    const { stdout } = await sh('id -u; id -g; pwd; grep CapEff: /proc/self/status', options);
    expect(stdout).toBe('1000\n1001\n/tmp\nCapEff:\t0000000000000000\n');
  });

  test('passes three descriptors, no signals and the seccomp filter', async () => {
    expect((await run(['ls', '/proc/self/fd'])).stdout.split('\n')).toEqual(['0', '1', '2', '3', '']); // 3 is ls's own
    const { stdout } = await run(['grep', '-E', '^(Seccomp|SigBlk|SigIgn):', '/proc/self/status']);
    expect(stdout).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSeccomp:\t2\n');
  });

  test('with /dev/null instead of pipes, has no input and waits for the command only', async () => {
    const script = 'read line && exit 1; sleep 100 & echo output; [ -c /proc/self/fd/1 ] || exit 2; exit 3';
    expect(await sh(script, { nullStdio: true })).toEqual({ status: 3, stdout: '', stderr: '' });
  });

  test('joins every cgroup of the container', async () => {
    const process = await start(['sleep', '100']);
    const groups = readFileSync(`/proc/${String(process.pid)}/cgroup`, 'utf8')
      .trim()
      .split('\n');
    expect(groups.filter(line => !line.includes(container.id))).toEqual([]);
    process.signal(9);
    expect(await process.exited).toBe(137);
  });

  test('refuses a folder that is not there and an init that is another process', async () => {
    await expect(run(['true'], { cwd: '/nowhere' })).rejects.toMatchObject({ code: 'invalid-argument' });
    const other = { ...container.target, startTime: container.target.startTime + 1 };
    await expect(server.exec(other, { ...base, command: ['true'] })).rejects.toMatchObject({
      code: 'failed-precondition',
    });
  });

  test('refuses a frozen container instead of waiting for it', async () => {
    container.setFrozen(true);
    try {
      await expect(run(['true'])).rejects.toMatchObject({ code: 'failed-precondition' });
    } finally {
      container.setFrozen(false);
    }
  });

  test('takes arguments and environment beyond the size of a message', async () => {
    const long = 'x'.repeat(100_000);
    const { stdout } = await sh('echo ${#A} ${#B}', { environment: { PATH: '/bin', A: long, B: long } });
    expect(stdout).toBe('100000 100000\n');
    const arguments_ = Array.from({ length: 2_000 }, () => 'y'.repeat(40));
    expect((await run(['sh', '-c', 'echo $#', 'sh', ...arguments_])).stdout).toBe('2000\n');
    await expect(run(['true', 'x'.repeat(9 * 2 ** 20)])).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(run(['true', 'x'.repeat(300_000)])).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test('ends each half of the streams by itself', async () => {
    const process = await start(['sh', '-c', 'exec >&-; cat >/dev/null; exit 3']);
    expect(await text(process.stdout)).toBe('');
    await delay(50);
    process.stdin.end('late');
    expect(await process.exited).toBe(3);
    const early = await start(['sh', '-c', 'exec <&-; sleep 0.1; echo still']);
    early.stdin.write(Buffer.alloc(1_000_000));
    expect(await text(early.stdout)).toBe('still\n');
  });

  test('runs fifty commands at once and keeps their statuses apart', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => (await sh(`exit ${String(n)}`)).status),
    );
    expect(statuses).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  test('lets a gigabyte through both ways without growing', { timeout: 120_000 }, async () => {
    const chunk = Buffer.alloc(2 ** 20, 'abcdefgh');
    const before = process.memoryUsage().rss;
    let most = before;
    const cat = await start(['cat']);
    const source = Readable.from(
      (function* () {
        for (let n = 0; n < 1024; n++) yield chunk;
      })(),
    );
    const hash = createHash('sha256');
    let bytes = 0;
    const read = (async () => {
      for await (const part of cat.stdout) {
        bytes += (part as Buffer).length;
        if (bytes % 2 ** 24 < 2 ** 16) most = Math.max(most, process.memoryUsage().rss);
        if (bytes <= 2 ** 24) hash.update(part as Buffer);
      }
    })();
    await Promise.all([pipeline(source, cat.stdin), read]);
    expect(await cat.exited).toBe(0);
    expect(bytes).toBe(2 ** 30);
    expect((most - before) / 2 ** 20).toBeLessThan(150);
  });

  test('answers again after its helper was killed', async () => {
    const running = await start(['sleep', '100']);
    const helper = Number(/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${String(running.pid)}/status`, 'utf8'))?.[1]);
    process.kill(helper, 'SIGKILL');
    await expect(running.exited).rejects.toMatchObject({ code: 'internal' });
    process.kill(running.pid, 'SIGKILL');
    expect((await sh('echo back')).stdout).toBe('back\n');
  });

  test('leaves no descriptors behind', async () => {
    const count = (): number => readdirSync('/proc/self/fd').length;
    await sh('true');
    await delay(50);
    const before = count();
    for (let n = 0; n < 20; n++) await sh('true');
    await start(['true'], { cwd: '/nowhere' }).catch(() => undefined);
    await delay(100);
    expect(count()).toBeLessThanOrEqual(before);
  });
});

describe('a terminal', () => {
  const terminal = { columns: 90, rows: 30 };

  test("is the guest's, of the size asked for, and follows a resize", async () => {
    const process = await start(['sh', '-c', 'tty; stty size; read x; stty size; exit 4'], { terminal });
    const output = text(process.stdout);
    await delay(100);
    process.resize(100, 40);
    process.stdin.write('go\n');
    expect(await output).toMatch(/^\/dev\/pts\/\d+\r\n30 90\r\ngo\r\n40 100\r\n$/);
    expect(await process.exited).toBe(4);
    process.resize(1, 1);
  });

  test('turns ^C into an interrupt and has nothing to read after the end', async () => {
    const process = await start(['sleep', '100'], { terminal });
    await delay(100);
    process.stdin.write('\x03');
    expect(await process.exited).toBe(130);
    expect(await text(process.stdout)).toBe('^C');
  });

  test('carries much output whole', async () => {
    const process = await start(['sh', '-c', 'stty -opost; head -c 5000000 /dev/zero; echo end'], { terminal });
    const [output, status] = await Promise.all([text(process.stdout), process.exited]);
    expect({ length: output.length, end: output.slice(-4), status }).toEqual({
      length: 5_000_004,
      end: 'end\n',
      status: 0,
    });
  });
});

describe('mount', () => {
  test('plugs a folder in and out, with ids mapped and the mount point made', async () => {
    const disk = mkdtempSync('/var/tmp/mount-test-');
    try {
      writeFileSync(`${disk}/file`, 'content');
      mkdirSync(`${disk}/folder`);
      const mount = { source: disk, target: '/mnt/a/b', kind: 'directory', idmapped: true } as const;
      await server.mount(container.target, mount);
      const { stdout } = await sh('cat /mnt/a/b/file; touch /mnt/a/b/new; stat -c " %u %u" /mnt/a/b/new /mnt/a');
      expect(stdout).toBe('content 0 0\n 0 0\n');
      expect(statSync(`${disk}/new`).uid).toBe(0);
      await server.unmount(container.target, '/mnt/a/b');
      await server.unmount(container.target, '/mnt/a/b');
      expect((await sh('ls /mnt/a/b')).stdout).toBe('');
      await server.mount(container.target, { ...mount, readOnly: true });
      expect((await sh('touch /mnt/a/b/refused')).status).toBe(1);
      await server.unmount(container.target, '/mnt/a/b');
    } finally {
      rmSync(disk, { recursive: true });
    }
  });

  test("follows the guest's links inside the guest only", async () => {
    const disk = mkdtempSync('/var/tmp/mount-test-');
    try {
      await sh(`ln -s ../../../../../../..${disk} /lead-out`);
      const mount = { source: disk, target: '/lead-out/in', kind: 'directory' } as const;
      await server.mount(container.target, mount).catch(() => undefined);
      expect(existsSync(`${disk}/in`)).toBe(false);
      await server.unmount(container.target, '/lead-out/in').catch(() => undefined);
      await expect(server.mount(container.target, { ...mount, source: '/nowhere' })).rejects.toMatchObject({
        code: 'not-found',
      });
    } finally {
      rmSync(disk, { recursive: true });
    }
  });
});

test('the ids of the container are those of the map', () => {
  expect(statSync(`/proc/${String(container.target.initPid)}`).uid).toBe(testIdmap.hostBase);
});
