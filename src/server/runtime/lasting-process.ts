import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '#api/error.ts';
import { installedPath } from '#base/install-root.ts';
import { processIdentity } from './container-record.ts';

const startDeadlineMs = 10_000;
const stopDeadlineMs = 5000;

/** A process that may have ended long ago: its number alone does not say which one is meant. */
export interface ProcessMark {
  readonly pid: number;
  /** field 22 of /proc/PID/stat */
  readonly start: number;
}

/**
 * A `ctr-ns` process that serves a running container and outlives the daemon. `noteFile` tells a later daemon which one
 * it is.
 */
export class LastingProcess {
  readonly #noteFile: string;
  readonly #logFile: string;

  constructor(noteFile: string, logFile: string) {
    this.#noteFile = noteFile;
    this.#logFile = logFile;
  }

  /** Runs `ctr-ns VERB 3 ARGUMENTS`; resolves when it says "ok" on its descriptor 3. */
  async start(verb: string, args: readonly string[]): Promise<ProcessMark> {
    await mkdir(path.dirname(this.#logFile), { recursive: true, mode: 0o700 });
    const log = openSync(this.#logFile, 'a', 0o600);
    const child = spawn(installedPath('native/build/ctr-ns'), [verb, '3', ...args], {
      detached: true,
      env: {},
      stdio: ['ignore', log, log, 'pipe'],
    });
    closeSync(log);
    const verdict = await verdictOf(child);
    child.unref();
    const start = child.pid === undefined ? undefined : processIdentity(child.pid)?.start;
    if (verdict !== 'ok' || child.pid === undefined || start === undefined) {
      child.kill('SIGKILL');
      throw new ApiError('failed-precondition', `Failed to ${verdict || `start the ${verb} process in time`}`);
    }
    const mark = { pid: child.pid, start };
    await writeFile(`${this.#noteFile}.new`, `${String(mark.pid)} ${String(mark.start)}`, { mode: 0o600 });
    await rename(`${this.#noteFile}.new`, this.#noteFile);
    return mark;
  }

  /** The process while it runs. */
  async find(): Promise<ProcessMark | undefined> {
    const text = await readFile(this.#noteFile, 'utf8').catch(() => '');
    const [pid = 0, start = 0] = text.split(' ').map(Number);
    return runs({ pid, start }) ? { pid, start } : undefined;
  }

  /** Succeeds when there is none. */
  async stop(): Promise<void> {
    const deadline = performance.now() + stopDeadlineMs;
    for (let mark = await this.find(); mark; mark = await this.find()) {
      process.kill(mark.pid, performance.now() > deadline ? 'SIGKILL' : 'SIGTERM');
      await sleep(5);
    }
    await rm(this.#noteFile, { force: true });
  }
}

function runs({ pid, start }: ProcessMark): boolean {
  return pid > 1 && processIdentity(pid)?.start === start;
}

/** "ok", or what it failed to do: the helper writes it to its descriptor 3; "" at the deadline. */
async function verdictOf(child: ChildProcess): Promise<string> {
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
