import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as httpRequest,
} from 'node:http';
import type { RequestOptions } from 'node:https';
import type { Readable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import { hostOf } from '#base/url-host.ts';

export interface UnixTarget {
  readonly kind: 'unix';
  /** path of the API socket */
  readonly path: string;
}

export interface TlsTarget {
  readonly kind: 'tls';
  /** such as https://10.0.0.1:8443 */
  readonly url: string;
  /** PEM that the server must present, byte for byte; undefined = the system's authorities decide */
  readonly serverCertificate: string | undefined;
  /** PEM of our certificate and its key */
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  /** that the server is reached through; undefined = directly */
  readonly proxy?: URL | undefined;
}

export type Target = UnixTarget | TlsTarget;

export interface RawRequest {
  readonly method: string;
  /** path and query */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Readable | Uint8Array | undefined;
  readonly signal?: AbortSignal;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** One request by Node's HTTP client: for TLS and for streamed bodies. */
export async function sendHttp(target: Target, request: RawRequest): Promise<RawAnswer> {
  const connection = await connectOptions(target);
  const options: RequestOptions = {
    ...connection,
    method: request.method,
    path: request.path,
    headers: { ...(connection.headers as OutgoingHttpHeaders | undefined), ...request.headers },
    ...(request.signal ? { signal: request.signal } : {}),
  };
  const start = target.kind === 'unix' ? httpRequest : (await import('node:https')).request;
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = start(options, resolve);
    outgoing.on('error', error => reject(connectionError(target, error)));
    if (target.kind === 'tls') pinCertificate(outgoing, target);
    if (request.body === undefined || request.body instanceof Uint8Array) outgoing.end(request.body);
    else request.body.on('error', reject).pipe(outgoing);
  });
  return { status: message.statusCode ?? 0, headers: plainHeaders(message.headers), body: message };
}

/** Options of node:http, node:https and ws that reach the target. */
export async function connectOptions(target: Target): Promise<RequestOptions> {
  if (target.kind === 'unix') return { socketPath: target.path, headers: { host: 'localhost' }, agent: false };
  const { checkServerIdentity } = await import('node:tls');
  const { X509Certificate } = await import('node:crypto');
  const url = new URL(target.url);
  const pinned = target.serverCertificate === undefined ? undefined : new X509Certificate(target.serverCertificate);
  return {
    host: hostOf(url),
    port: url.port || 8443,
    minVersion: 'TLSv1.3',
    ...(target.proxy ? { createConnection: (await import('./tunnel.ts')).tunnel(target.proxy) } : { agent: false }),
    // A pinned certificate is its own authority and its names do not matter: the bytes are compared instead.
    rejectUnauthorized: pinned === undefined,
    ...(pinned === undefined ? { checkServerIdentity } : {}),
    ...(target.clientCertificate === undefined ? {} : { cert: target.clientCertificate, key: target.clientKey }),
  };
}

interface SecureRequest {
  on(event: 'socket', listener: (socket: NodeJS.EventEmitter) => void): unknown;
  destroy(error: Error): unknown;
}

/** Ends the request before a byte of it is sent unless the server presents the pinned certificate. */
export function pinCertificate(outgoing: SecureRequest, target: Target): void {
  if (target.kind !== 'tls' || target.serverCertificate === undefined) return;
  const pinned = pemBytes(target.serverCertificate);
  outgoing.on('socket', socket => {
    socket.prependListener('secureConnect', () => {
      const presented = (socket as unknown as { getPeerCertificate(): { raw?: Buffer } }).getPeerCertificate().raw;
      if (!presented?.equals(pinned)) {
        outgoing.destroy(
          new ApiError(
            'unauthenticated',
            `Cannot talk to ${target.url}: its certificate is not the one that was confirmed when the remote was added`,
          ),
        );
      }
    });
  });
}

export function pemBytes(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----/g, '').replace(/\s/g, ''), 'base64');
}

export function connectionError(target: Target, error: Error): Error {
  if (error instanceof ApiError || error.name === 'AbortError') return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (target.kind === 'unix') {
    if (code === 'ENOENT' || code === 'ECONNREFUSED') {
      return new ApiError(
        'unavailable',
        `Cannot reach the daemon at ${target.path}: it is not running. Start it with "lxd-like daemon"`,
        { cause: error },
      );
    }
    if (code === 'EACCES') {
      return new ApiError('permission-denied', `Cannot open ${target.path}: this user may not talk to the daemon`, {
        cause: error,
      });
    }
    return new ApiError('unavailable', `Failed talking to the daemon at ${target.path}: ${error.message}`, {
      cause: error,
    });
  }
  return new ApiError('unavailable', `Cannot reach ${target.url}: ${error.message}`, { cause: error });
}

function plainHeaders(headers: IncomingHttpHeaders): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}
