import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Envelope } from '#api/envelope.ts';
import { notFound } from '#api/error.ts';
import { Daemon, type Equipment } from '../../daemon.ts';
import type { NetworkControl } from '../../networks/networks.ts';
import { StatePaths } from '../../paths.ts';
import type { PoolRegistry } from '../../pools/pools.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { FakeCheckpoints } from '../../runtime/testing/fake-checkpoints.ts';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly json: Envelope<never>;
}

export interface Ask {
  readonly body?: string | object;
  readonly headers?: Readonly<Record<string, string>>;
  /** over HTTPS at this port instead of the unix socket, with this client certificate */
  readonly tls?: { readonly port: number; readonly cert?: string; readonly key?: string };
}

/** A daemon without pools, networks and runtime, in this process. */
export class InnerDaemon {
  readonly paths: StatePaths;
  readonly daemon: Daemon;

  private constructor(paths: StatePaths, daemon: Daemon) {
    this.paths = paths;
    this.daemon = daemon;
  }

  static async start(root?: string): Promise<InnerDaemon> {
    const paths = new StatePaths(root ?? (await mkdtemp(path.join(tmpdir(), 'inner-daemon-'))));
    const logFile = path.join(paths.root, 'daemon.log');
    const options = { paths, logFile, logLevel: 'debug', socketGid: process.getgid?.() ?? 0 } as const;
    return new InnerDaemon(paths, await Daemon.start(options, bareEquipment));
  }

  async stop(): Promise<void> {
    await this.daemon.stop();
    await rm(this.paths.root, { recursive: true, force: true });
  }

  async ask(method: string, target: string, { body, headers = {}, tls }: Ask = {}): Promise<Answer> {
    const where = tls
      ? { host: '127.0.0.1', ...tls, rejectUnauthorized: false, agent: false as const }
      : { socketPath: this.paths.socket };
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    return await new Promise((resolve, reject) => {
      const options = { ...where, method, path: target, headers };
      const receive = (response: http.IncomingMessage): void => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const whole = Buffer.concat(chunks).toString();
          const json = (whole === '' ? undefined : JSON.parse(whole)) as Envelope<never>;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, json });
        });
      };
      const request = tls ? https.request(options, receive) : http.request(options, receive);
      request.on('error', reject);
      request.end(text);
    });
  }
}

const bareEquipment: Equipment = {
  build: async () => ({
    pools: {
      list: () => [],
      close: async () => undefined,
      get: name => {
        throw notFound('Storage pool', name);
      },
    } as Partial<PoolRegistry> as PoolRegistry,
    networks: {
      firewallTable: 'none',
      find: () => undefined,
      get: name => {
        throw notFound('Network', name);
      },
    },
    networkControl: {} as NetworkControl,
    runtime: {
      close: async () => undefined,
      checkpoints: new FakeCheckpoints({ specOf: () => undefined, end: () => undefined }),
    } as Partial<Runtime> as Runtime,
  }),
  recoverySteps: [],
  startSteps: [],
  stopAll: async () => undefined,
  peerUid: () => 0,
};
