import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installedPath } from '#base/install-root.ts';
import { emptyServer } from './empty-server.ts';
import { watchLoopFiles } from './host.ts';
import { type Output, runProgram, type RunOptions } from './run-program.ts';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  /** the parsed envelope, or undefined when the body is no JSON */
  readonly json: Envelope | undefined;
}

export interface Envelope {
  readonly type: string;
  readonly error: string;
  readonly error_code: number;
  readonly operation: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into it freely
  readonly metadata: any;
}

/** A daemon of its own: state directory, firewall table and client config that nobody else uses. */
export class TestDaemon {
  readonly directory: string;
  readonly tag: string;
  #process: ChildProcess | undefined;
  #environment: Record<string, string>;

  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.tag = randomBytes(3).toString('hex');
    this.directory = mkdtempSync('/tmp/lxdl-');
    watchLoopFiles(this.directory);
    this.#environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: path.join(this.directory, 'home'),
      LANG: 'C.UTF-8',
      LXD_LIKE_DIR: this.directory,
      LXD_DIR: this.directory,
      LXD_LIKE_CONF: path.join(this.directory, 'client'),
      LXD_CONF: path.join(this.directory, 'lxc'),
      LXD_LIKE_NFT_TABLE: `lxd_like_${this.tag}`,
      ...environment,
    };
  }

  get pid(): number {
    return this.#process?.pid ?? -1;
  }

  /** name for a bridge of this daemon, at most 15 characters */
  get bridge(): string {
    return `lt${this.tag}`;
  }

  /** What programs of this daemon and its clients have in theirs. */
  get environment(): Readonly<Record<string, string>> {
    return this.#environment;
  }

  /** Starts the daemon and waits until it is ready. `environment` is for this start only. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    this.spawn(environment);
    const ready = await this.cli(['waitready', '--timeout=30']);
    if (ready.status !== 0) throw new Error(`The daemon did not get ready: ${ready.stderr}\n${this.log.slice(-4000)}`);
  }

  /** Starts the daemon and does not wait. */
  spawn(environment: Readonly<Record<string, string>> = {}): void {
    const log = openSync(path.join(this.directory, 'daemon.log'), 'a');
    this.#process = spawn(installedPath('lxd-like'), ['daemon', '--debug'], {
      env: { ...this.#environment, ...environment },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
  }

  /** Text of a chain in this daemon's firewall table; empty when there is none. */
  firewallChain(family: 'inet' | 'bridge', chain: string): string {
    const words = ['list', 'chain', family, `lxd_like_${this.tag}`, chain];
    try {
      return execFileSync('nft', words, { encoding: 'utf8', stdio: 'pipe' });
    } catch {
      return '';
    }
  }

  get log(): string {
    return readFileSync(path.join(this.directory, 'daemon.log'), 'utf8');
  }

  /** Resolves with the exit status when the daemon has ended. */
  async ended(): Promise<number | null> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    return await new Promise(resolve => child.once('exit', code => resolve(code)));
  }

  /** Ends the daemon without warning, as a crash would. Containers keep running. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.ended();
  }

  /** Restarts the daemon so that it ends at a fault point, does what leads there, and starts it again. */
  async killAt<T>(point: string, work: () => Promise<T>): Promise<T> {
    await this.terminate();
    await this.start({ LXD_LIKE_FAULT: `${point}:kill` });
    const result = await work();
    const died = await Promise.race([this.ended().then(() => true), sleep(5000, false)]);
    if (!died) throw new Error(`The daemon never came to ${point}`);
    await this.start();
    return result;
  }

  /** Ends the daemon as a service manager does for an upgrade. Containers keep running. */
  async terminate(): Promise<void> {
    this.#process?.kill('SIGTERM');
    await this.ended();
  }

  /** Runs our command line against this daemon. */
  async cli(args: readonly string[], options: RunOptions = {}): Promise<Output> {
    return await this.#run(installedPath('lxd-like'), args, options);
  }

  /** Like cli(), but a failure is the test's failure; gives standard output. */
  async must(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.cli(args);
    if (status !== 0) throw new Error(`lxd-like ${args.join(' ')} exited with ${String(status)}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Runs the stock client of the distribution against this daemon. */
  async lxc(args: readonly string[], options: RunOptions = {}): Promise<Output> {
    return await this.#run('lxc', args, options);
  }

  /** Like lxc(), but a failure is the test's failure; gives standard output. */
  async mustLxc(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.lxc(args);
    if (status !== 0) throw new Error(`lxc ${args.join(' ')} exited with ${String(status)}: ${stderr}${stdout}`);
    return stdout;
  }

  async #run(program: string, args: readonly string[], options: RunOptions): Promise<Output> {
    return await runProgram(program, args, { ...options, env: { ...this.#environment, ...options.env } });
  }

  /** One request over the unix socket, as curl would send it. */
  async request(
    method: string,
    url: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const raw = typeof body === 'string' || body instanceof Buffer;
    const payload = raw ? body : body === undefined ? undefined : JSON.stringify(body);
    const type = raw ? {} : { 'content-type': 'application/json' };
    return await new Promise((resolve, reject) => {
      const request = http.request(
        { socketPath: path.join(this.directory, 'unix.socket'), method, path: url, headers: { ...type, ...headers } },
        response => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text, json: parsed(text) });
          });
        },
      );
      request.on('error', reject);
      request.once('socket', forgiveLateErrors);
      request.end(payload);
    });
  }

  /** A request whose operation is waited for; gives the final operation, or the refusal. */
  async operate(method: string, url: string, body?: unknown): Promise<Answer> {
    const answer = await this.request(method, url, body);
    if (answer.json?.type !== 'async') return answer;
    return await this.request('GET', `${answer.json.operation}/wait`);
  }

  /** Stops instances and daemon, removes pools and networks and the state directory. */
  async destroy(): Promise<void> {
    if (this.#process) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) await this.start();
      await this.empty();
      await this.cli(['shutdown', '--force', '--timeout=30']);
      await Promise.race([this.ended(), new Promise(resolve => setTimeout(resolve, 10_000).unref())]);
      if (this.#process.exitCode === null) await this.kill();
    }
    this.remove();
  }

  /** Removes the state directory. */
  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Deletes all instances, images, profiles, networks and pools. */
  async empty(): Promise<void> {
    await emptyServer(async (...request) => (await this.operate(...request)).json?.metadata as unknown);
  }
}

/** A daemon that answers before it has read all closes the connection: what is still written then fails after the answer. */
function forgiveLateErrors(socket: Socket): void {
  if (!socket.listeners('error').includes(nothing)) socket.on('error', nothing);
}

function nothing(): void {
  // the request itself rejects when it had no answer yet
}

function parsed(text: string): Envelope | undefined {
  try {
    return JSON.parse(text) as Envelope;
  } catch {
    return undefined;
  }
}
