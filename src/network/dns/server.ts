import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Log } from '#base/log.ts';
import { type Signer, type TsigKey, verifySignature } from './signature.ts';
import { packSoa, packTransfer, type ZoneContent } from './transfer.ts';
import { type DnsQuery, packResponse, parseQuery, recordTypes, responseCodes } from './wire.ts';

/** Who may have a zone: from this address, with this key, or both. */
export interface ZonePeer {
  readonly address: string | undefined;
  readonly key: TsigKey | undefined;
}

/** Where the server has zones from; both are asked for every query. */
export interface ZoneSource {
  /** undefined when there is no such zone */
  peers(zone: string): Promise<readonly ZonePeer[] | undefined>;
  content(zone: string): Promise<ZoneContent | undefined>;
}

const idleMs = 10_000;
const mostConnections = 64;
// signed requests for transfers are far smaller
const biggestQuery = 2048;

/** Hands out zones (AXFR, and IXFR as AXFR) and their SOA, to peers only. All others learn nothing about zones. */
export class DnsServer {
  readonly #zones: ZoneSource;
  readonly #log: Log;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();

  private constructor(zones: ZoneSource, log: Log, address: string) {
    this.#zones = zones;
    this.#log = log;
    this.#udp = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    this.#udp.on('message', (message, { address: from, port }) => {
      if (message.length > biggestQuery) return;
      void this.#guard(this.#answer(message, from, 'udp')).then(answers => {
        for (const answer of answers) this.#udp.send(answer, port, from, () => undefined);
      });
    });
    this.#tcp = createServer(socket => this.#serve(socket));
    this.#tcp.maxConnections = mostConnections;
  }

  /** Rejects when the address cannot be listened on. */
  static async open(zones: ZoneSource, log: Log, address: string, port: number): Promise<DnsServer> {
    const server = new DnsServer(zones, log, address);
    try {
      const udp = once(server.#udp, 'listening');
      server.#udp.bind(port, address);
      await udp;
      const tcp = once(server.#tcp, 'listening');
      server.#tcp.listen(server.#udp.address().port, address);
      await tcp;
    } catch (error) {
      await server.close();
      throw error;
    }
    for (const socket of [server.#udp, server.#tcp]) {
      socket.on('error', (error: Error) => log.error('Failed serving DNS', { error }));
    }
    return server;
  }

  get port(): number {
    return this.#udp.address().port;
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await new Promise<void>(resolve => {
      try {
        this.#udp.close(() => resolve());
      } catch {
        resolve(); // it was not open
      }
    });
    await new Promise<void>(resolve => this.#tcp.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    let received: Buffer = Buffer.alloc(0);
    let busy = Promise.resolve();
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length > 2 * biggestQuery) socket.destroy();
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        const message = received.subarray(2, end);
        received = received.subarray(end);
        busy = busy.then(() => this.#reply(socket, message));
      }
    });
  }

  async #reply(socket: Socket, message: Buffer): Promise<void> {
    for (const answer of await this.#guard(this.#answer(message, socket.remoteAddress ?? '', 'tcp'))) {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      if (socket.destroyed) return;
      if (!socket.write(Buffer.concat([length, answer])))
        await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
    }
  }

  async #guard(answers: Promise<readonly Buffer[]>): Promise<readonly Buffer[]> {
    try {
      return await answers;
    } catch (error) {
      this.#log.error('Failed answering a DNS query', { error });
      return [];
    }
  }

  async #answer(message: Buffer, from: string, transport: 'udp' | 'tcp'): Promise<readonly Buffer[]> {
    const query = parseQuery(message);
    if (!query) return malformed(message);
    const failed = (code: number): readonly Buffer[] => [packResponse(query, { code, answers: [] })];
    const { type, name } = query.question;
    const isTransfer = type === recordTypes.AXFR || type === recordTypes.IXFR;
    if (query.opcode !== 0 || !(isTransfer || type === recordTypes.SOA)) return failed(responseCodes.notImplemented);
    const now = Math.floor(Date.now() / 1000);
    const allowed = allow((await this.#zones.peers(name)) ?? [], message, query, from.replace(/^::ffff:/, ''), now);
    const zone = allowed && (await this.#zones.content(name));
    if (!zone) return failed(responseCodes.noSuchName);
    if (!isTransfer) return [packSoa(query, zone, now, allowed.signer)];
    if (transport === 'tcp') return packTransfer(query, zone, now, allowed.signer);
    // over UDP a changed SOA tells a client to come back over TCP (RFC 1995, 4)
    return type === recordTypes.IXFR ? [packSoa(query, zone, now, allowed.signer)] : failed(responseCodes.refused);
  }
}

function allow(
  peers: readonly ZonePeer[],
  message: Buffer,
  query: DnsQuery,
  from: string,
  now: number,
): { readonly signer?: Signer } | undefined {
  for (const { address, key } of peers) {
    if ((address === undefined && key === undefined) || (address !== undefined && address !== from)) continue;
    if (!key) return {};
    const signer = verifySignature(message, query, key, now);
    if (signer) return { signer };
  }
  return undefined;
}

/** A header that says so, when there is at least one to answer to; responses are never answered. */
function malformed(message: Buffer): readonly Buffer[] {
  if (message.length < 12 || message.readUInt16BE(2) & 0x8000) return [];
  const header = Buffer.alloc(12);
  header.writeUInt16BE(message.readUInt16BE(0), 0);
  header.writeUInt16BE(0x8000 | responseCodes.formatError, 2);
  return [header];
}
