import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { emptyServer } from '../harness/empty-server.ts';
import { watchLoopFiles } from '../harness/host.ts';

/** Does the work, which starts these daemons, and destroys them whatever came of it. */
export async function usingEndpoints<T>(endpoints: readonly Endpoint[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    const ends = await Promise.allSettled(endpoints.map(endpoint => endpoint.destroy()));
    for (const end of ends) if (end.status === 'rejected') console.error(end.reason);
  }
}

/** A daemon under measurement: ours or stock LXD, both through the same API. */
export class Endpoint {
  readonly name: string;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly #command: readonly string[];
  readonly cli: string;
  readonly #agent: http.Agent;
  #process: ChildProcess | undefined;

  constructor(name: string, command: readonly string[], cli: string) {
    this.name = name;
    this.directory = mkdtempSync('/tmp/lxdb-');
    watchLoopFiles(this.directory);
    this.#command = command;
    this.cli = cli;
    this.#agent = new http.Agent({ keepAlive: true });
    this.environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.directory,
      LXD_DIR: this.directory,
      LXD_LIKE_DIR: this.directory,
      // not "lxc": LXD takes a folder of that name for the instances of an old release
      LXD_CONF: path.join(this.directory, 'client'),
      LXD_LIKE_CONF: path.join(this.directory, 'client'),
      LXD_LIKE_NFT_TABLE: `lxd_bench_${String(process.pid)}`,
    };
  }

  get pid(): number {
    return this.#process?.pid ?? -1;
  }

  /** Starts the daemon; milliseconds until it answers its first request. */
  async start(): Promise<number> {
    const started = performance.now();
    const [program = '', ...args] = this.#command;
    const log = openSync(path.join(this.directory, 'bench.log'), 'a');
    this.#process = spawn(program, args, { env: this.environment, stdio: ['ignore', log, log] });
    const end = started + 60_000;
    while (performance.now() < end) {
      const answer = await this.request('GET', '/1.0').catch(() => undefined);
      if (answer) return performance.now() - started;
      if (this.#process.exitCode !== null) break;
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    throw new Error(
      `${this.name} did not start: ${readFileSync(path.join(this.directory, 'bench.log'), 'utf8').slice(-2000)}`,
    );
  }

  get #ended(): boolean {
    return this.#process?.exitCode !== null || this.#process.signalCode !== null;
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (!child || this.#ended) return;
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGTERM');
    const deadline = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await ended;
    clearTimeout(deadline);
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- both daemons' answers, looked into freely
  async request(
    method: string,
    url: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<any> {
    const payload = body instanceof Buffer ? body : body === undefined ? undefined : JSON.stringify(body);
    return await new Promise((resolve, reject) => {
      const socketPath = path.join(this.directory, 'unix.socket');
      const options = {
        socketPath,
        method,
        path: url,
        agent: this.#agent,
        headers: { 'content-type': 'application/json', ...headers },
      };
      const request = http.request(options, response => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          try {
            const envelope = JSON.parse(Buffer.concat(chunks).toString()) as { type: string; error: string };
            if (envelope.type === 'error') reject(new Error(`${this.name} ${method} ${url}: ${envelope.error}`));
            else resolve(envelope);
          } catch (error) {
            reject(error);
          }
        });
      });
      request.on('error', reject);
      request.end(payload);
    });
  }

  /** A request and the end of its operation; gives the operation's metadata. */
  async operate(
    method: string,
    url: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<unknown> {
    const answer = (await this.request(method, url, body, headers)) as {
      type: string;
      operation: string;
      metadata: unknown;
    };
    if (answer.type !== 'async') return answer.metadata;
    const { metadata } = (await this.request('GET', `${answer.operation}/wait`)) as {
      metadata: { err: string; metadata: unknown };
    };
    if (metadata.err) throw new Error(`${this.name} ${method} ${url}: ${metadata.err}`);
    return metadata.metadata;
  }

  async changeState(name: string, action: 'start' | 'stop'): Promise<void> {
    await this.operate('PUT', `/1.0/instances/${name}/state`, { action, force: true, timeout: -1 });
  }

  /** Deletes what the daemon keeps, ends it and removes its directory, however far it came. */
  async destroy(): Promise<void> {
    try {
      if (this.#process && this.#ended) await this.start();
      if (this.#process) await emptyServer((...request) => this.operate(...request).catch(() => undefined));
    } finally {
      await this.stop();
      this.#remove();
    }
  }

  #remove(): void {
    this.#agent.destroy();
    // LXD leaves its pools mounted when it ends
    const mounted = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map(line => line.split(' ')[1] ?? '');
    for (const target of mounted.filter(entry => entry.startsWith(`${this.directory}/`)).reverse())
      execFileSync('umount', ['-l', target]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
