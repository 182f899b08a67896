import { X509Certificate } from 'node:crypto';
import { ClientRequest } from 'node:http';
import { WebSocket } from 'ws';
import { ApiError, invalid } from '#api/error.ts';

/** A peer's operation and what is needed to reach it. */
export interface Peer {
  /** URL of the operation */
  readonly operation: string;
  /** PEM that the peer must present; without it the system's authorities decide */
  readonly certificate: string | undefined;
  /** channel → secret */
  readonly secrets: Readonly<Record<string, string>>;
}

const timeoutMs = 30_000;

/** Checks what a request says of a peer; throws "invalid-argument" that names the field below `field`. */
export function checkPeer(
  given: {
    readonly operation?: string;
    readonly certificate?: string;
    readonly secrets?: Readonly<Record<string, string>>;
  },
  field: string,
): Peer {
  const operation = URL.canParse(given.operation ?? '') ? new URL(given.operation ?? '') : undefined;
  if (operation?.protocol !== 'https:' || !/^\/1\.0\/operations\/[0-9a-f-]{36}$/.test(operation.pathname))
    throw invalid(`${field}.operation`, 'must be the https URL of an operation');
  if (given.certificate && !isCertificate(given.certificate))
    throw invalid(`${field}.certificate`, 'is no certificate in PEM');
  for (const name of ['control', 'fs'])
    if (!given.secrets?.[name]) throw invalid(`${field}.secrets`, `has none for channel "${name}"`);
  return {
    operation: `https://${operation.host}${operation.pathname}`,
    certificate: given.certificate || undefined,
    secrets: given.secrets ?? {},
  };
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** Opens one channel of a peer's operation; not a byte is sent to a server that is not the one named. */
export async function dial(peer: Peer, channel: string, signal?: AbortSignal): Promise<WebSocket> {
  const url = `${peer.operation.replace(/^https/, 'wss')}/websocket?secret=${encodeURIComponent(peer.secrets[channel] ?? '')}`;
  const pinned = peer.certificate === undefined ? undefined : new X509Certificate(peer.certificate).raw;
  return await new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: 64 * 2 ** 20,
      handshakeTimeout: timeoutMs,
      rejectUnauthorized: pinned === undefined,
      finishRequest: request => {
        if (pinned && request instanceof ClientRequest) pin(request, pinned, peer.operation);
        request.end();
      },
    });
    const fail = (reason: string, cause?: unknown): void => {
      reject(new ApiError('unavailable', `Cannot reach the other server at ${peer.operation}: ${reason}`, { cause }));
      socket.terminate();
    };
    const abort = (): void => fail('the operation was cancelled', signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    socket.once('open', () => {
      signal?.removeEventListener('abort', abort);
      socket.on('error', () => socket.terminate());
      socket.pause();
      resolve(socket);
    });
    socket.once('error', error => fail(error.message, error));
    socket.once('unexpected-response', (_request, response) =>
      fail(`it refused channel "${channel}" with status ${String(response.statusCode)}`),
    );
  });
}

function pin(request: ClientRequest, pinned: Buffer, url: string): void {
  request.on('socket', socket => {
    socket.prependListener('secureConnect', () => {
      const presented = (socket as unknown as { getPeerCertificate(): { raw?: Buffer } }).getPeerCertificate().raw;
      if (presented?.equals(pinned)) return;
      request.destroy(
        new ApiError('unauthenticated', `the server at ${url} does not present the certificate that was named`),
      );
    });
  });
}
