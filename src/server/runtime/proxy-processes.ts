import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '#api/error.ts';
import { installedPath } from '#base/install-root.ts';
import type { StatePaths } from '../paths.ts';
import { type ContainerRecord, processIdentity } from './container-record.ts';
import type { ContainerProxy, Proxies } from './runtime.ts';

const startDeadlineMs = 10_000;
const stopDeadlineMs = 5000;

/** One process of `ctr-ns proxy` per proxy device. It outlives the daemon, and ends with its container. */
export class ProxyProcesses implements Proxies {
  readonly #paths: StatePaths;
  readonly #recordOf: (id: string) => ContainerRecord;

  /** `recordOf` throws when the container does not run. */
  constructor(paths: StatePaths, recordOf: (id: string) => ContainerRecord) {
    this.#paths = paths;
    this.#recordOf = recordOf;
  }

  async start(id: string, name: string, proxy: ContainerProxy): Promise<void> {
    const { initPid, initStart } = this.#recordOf(id);
    await mkdir(this.#paths.logs(id), { recursive: true, mode: 0o700 });
    const log = openSync(path.join(this.#paths.logs(id), `proxy.${name}.log`), 'a', 0o600);
    const child = spawn(
      installedPath('native/build/ctr-ns'),
      ['proxy', '3', ...argumentsOf(proxy, initPid, initStart)],
      {
        detached: true,
        env: {},
        stdio: ['ignore', log, log, 'pipe'],
      },
    );
    closeSync(log);
    const verdict = await verdictOf(child);
    child.unref();
    const start = child.pid === undefined ? undefined : processIdentity(child.pid)?.start;
    if (verdict !== 'ok' || start === undefined) {
      child.kill('SIGKILL');
      throw new ApiError('failed-precondition', `Failed to ${verdict || 'start the proxy in time'}`);
    }
    await this.#remember(id, name, `${String(child.pid)} ${String(start)}`);
  }

  async stop(id: string, name: string): Promise<void> {
    const file = this.#file(id, name);
    const text = await readFile(file, 'utf8').catch(() => '');
    const [pid = 0, start = 0] = text.split(' ').map(Number);
    const runs = (): boolean => pid > 1 && processIdentity(pid)?.start === start;
    const deadline = performance.now() + stopDeadlineMs;
    for (
      let signal: NodeJS.Signals = 'SIGTERM';
      runs();
      signal = performance.now() > deadline ? 'SIGKILL' : 'SIGTERM'
    ) {
      process.kill(pid, signal);
      await sleep(5);
    }
    await rm(file, { force: true });
  }

  async #remember(id: string, name: string, text: string): Promise<void> {
    const file = this.#file(id, name);
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  #file(id: string, name: string): string {
    return path.join(this.#paths.run(id), `proxy.${name}`);
  }
}

function argumentsOf(proxy: ContainerProxy, initPid: number, initStart: number): readonly string[] {
  const { listener, socket, user } = proxy;
  return [
    String(initPid),
    String(initStart),
    listener,
    user ? String(user.uid) : '-',
    user ? String(user.gid) : '-',
    proxy.announces ? '1' : '0',
    String(socket.uid),
    String(socket.gid),
    socket.mode.toString(8),
    ...proxy.rules.flatMap(({ listen, connect }) => [listen, connect]),
  ];
}

/** "ok", or what it failed to do: the helper writes it to its descriptor 3; "" at the deadline. */
async function verdictOf(child: ReturnType<typeof spawn>): Promise<string> {
  const pipe = child.stdio[3] as NodeJS.ReadableStream & { destroy(): void };
  return await new Promise(resolve => {
    let text = '';
    const done = (verdict: string): void => {
      clearTimeout(timer);
      pipe.destroy();
      resolve(verdict);
    };
    const timer = setTimeout(() => done(''), startDeadlineMs);
    pipe.on('data', (chunk: Buffer) => (text += chunk.toString()));
    pipe.on('end', () => done(text));
    pipe.on('error', () => done(text));
    child.once('error', error => done(error.message));
  });
}
