import { connect, type Socket } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { settled, useDaemon } from '../harness/fixture.ts';

// The processes of a container outlive its stop: kept by CRIU, which works with this guest's kernel.
const daemon = useDaemon({ storage: 'zfs', network: true });
const port = 7777;
/** What each connection is sent: numbers out of memory, one after the other. */
const counter = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done';

async function operate(method: string, url: string, body?: unknown): Promise<string> {
  const { json } = await daemon.operate(method, url, body);
  return json?.error || (json?.metadata as { err?: string } | undefined)?.err || '';
}
const put = (state: object): Promise<string> => operate('PUT', '/1.0/instances/c1/state', { timeout: 60, ...state });
async function read<T>(url: string): Promise<T> {
  const { json } = await daemon.operate('GET', url);
  return json?.metadata as T;
}
const describe = (): Promise<{ stateful: boolean; status: string }> => read('/1.0/instances/c1');
const inside = (script: string): Promise<string> => daemon.must('exec', 'c1', '--', 'sh', '-c', script);

/** Numbers that came over one connection, which stays open. */
class Stream {
  readonly #socket: Socket;
  #text = '';
  ended = false;

  constructor(host: string) {
    this.#socket = connect(port, host);
    this.#socket.setEncoding('latin1').on('data', (text: string) => (this.#text += text));
    this.#socket.on('error', () => undefined).on('close', () => (this.ended = true));
  }

  get numbers(): readonly number[] {
    return this.#text.split('\n').slice(0, -1).map(Number);
  }

  async goesOn(): Promise<boolean> {
    const before = this.numbers.length;
    return await settled(() => this.numbers.length > before + 3, 30_000);
  }

  close(): void {
    this.#socket.destroy();
  }
}

let stream: Stream | undefined;
afterAll(() => stream?.close());

test('it is told that states can be kept here', async () => {
  const { environment } = await read<{ environment: { checkpoints: object } }>('/1.0');
  expect(environment.checkpoints).toEqual({
    version: expect.stringMatching(/^\d+\.\d+/) as string,
    tracksMemory: true,
  });
});

test('without the key the state is not kept, and the instance goes on', async () => {
  expect(await operate('POST', '/1.0/instances', { name: 'c1', source: { type: 'image', alias: 'tiny' } })).toBe('');
  expect(await put({ action: 'start' })).toBe('');
  expect(await put({ action: 'stop', stateful: true })).toContain('config key "migration.stateful" is not true');
  const config = { 'migration.stateful': 'true', 'limits.memory': '64MiB' };
  expect(await operate('PATCH', '/1.0/instances/c1', { config })).toBe('');
  expect(await put({ action: 'stop', stateful: true })).toContain('it was started before its config allowed that');
  expect(await put({ action: 'restart', force: true })).toBe('');
});

test('a stateful stop and a start leave memory and connections as they were', async () => {
  await inside(`setsid nc -ll -p ${String(port)} -e sh -c '${counter}' </dev/null >/dev/null 2>&1 &`);
  let address = '';
  const lookUp = "ip -4 -o addr show dev eth0 | grep -o '10[0-9.]*/' | head -n 1";
  expect(await settled(async () => (address = (await inside(lookUp)).trim().slice(0, -1)) !== '', 60_000)).toBe(true);
  stream = new Stream(address);
  expect(await stream.goesOn()).toBe(true);

  expect(await put({ action: 'stop', stateful: true })).toBe('');
  expect(await describe()).toMatchObject({ stateful: true, status: 'Stopped' });
  expect(await put({ action: 'start', stateful: true })).toBe('');
  expect(await describe()).toMatchObject({ stateful: false, status: 'Running' });
  expect(await stream.goesOn()).toBe(true);
  expect(await inside('cat /sys/fs/cgroup/memory.max; grep Seccomp: /proc/self/status /proc/1/status')).toMatch(
    /^67108864\n(\S+:\t2\n){2}$/,
  );
});

test('what was restored can be kept again: a snapshot with it, from which the memory comes back', async () => {
  expect(await operate('POST', '/1.0/instances/c1/snapshots', { name: 's', stateful: true })).toBe('');
  expect(await stream?.goesOn()).toBe(true);
  const { numbers = [] } = stream ?? {};
  expect(numbers).toEqual(numbers.map((_number, index) => index + 1));
  expect(stream?.ended).toBe(false);
  stream?.close();
  await inside('touch /root/later');
  expect(await operate('PUT', '/1.0/instances/c1', { restore: 's', stateful: true })).toBe('');
  expect(await inside('ps | grep -c "[n]c -ll"; ls /root')).toMatch(/^[1-9]\n$/);
});

test('a reboot within what was restored starts it again', async () => {
  const pid = async (): Promise<number> => (await read<{ pid: number }>('/1.0/instances/c1/state')).pid;
  const before = await pid();
  process.kill(before, 'SIGINT');
  expect(await settled(async () => ![before, 0].includes(await pid()), 60_000)).toBe(true);
  expect((await describe()).status).toBe('Running');
});

test('a state that cannot come back stays until it is given up', async () => {
  expect(await put({ action: 'stop', stateful: true })).toBe('');
  expect(await operate('PATCH', '/1.0/instances/c1', { devices: { eth0: { type: 'none' } } })).toBe('');
  expect(await put({ action: 'start', stateful: true })).toContain('it had the NICs eth0, not (none)');
  expect(await describe()).toMatchObject({ stateful: true, status: 'Stopped' });
  expect(await put({ action: 'start', stateful: false })).toBe('');
  expect(await describe()).toMatchObject({ stateful: false, status: 'Running' });
  expect(await put({ action: 'stop', force: true })).toBe('');
  expect(await operate('DELETE', '/1.0/instances/c1')).toBe('');
});
