import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Authority } from '../certificates/authority.ts';
import type { TrustStore } from '../certificates/trust-store.ts';
import type { Caller } from './route.ts';

const unixCallers = new WeakMap<Socket, Caller>();

/** Who sends a request: the peer of the unix socket, or the leaf certificate that the client proved to possess. */
export function authenticate(request: IncomingMessage, parts: Authentication): Caller {
  const { socket } = request;
  return socket instanceof TLSSocket ? tlsCaller(socket, parts) : unixCaller(socket, parts.peerUid);
}

export interface Authentication {
  readonly trust: TrustStore;
  /** whose signature every client needs beside being trusted; undefined = nobody's */
  readonly authority?: Authority | undefined;
  /** core.trust_ca_certificates: the signature is enough */
  readonly trustsAuthority?: () => boolean;
  /** uid of the process at the other end of a connected unix socket */
  readonly peerUid: (descriptor: number) => number;
}

function unixCaller(socket: Socket, peerUid: (descriptor: number) => number): Caller {
  const known = unixCallers.get(socket);
  if (known) return known;
  const descriptor = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  const uid = peerUid(descriptor);
  const caller: Caller = {
    trusted: true,
    admin: true,
    metrics: false,
    projects: undefined,
    fingerprint: undefined,
    certificate: undefined,
    requestor: { username: userName(uid), protocol: 'unix', address: '@' },
  };
  unixCallers.set(socket, caller);
  return caller;
}

function tlsCaller(socket: TLSSocket, { trust, authority, trustsAuthority }: Authentication): Caller {
  const presented = socket.getPeerX509Certificate();
  const address = `${socket.remoteAddress ?? ''}:${String(socket.remotePort ?? 0)}`;
  if (!presented) return stranger(address);
  const fingerprint = presented.fingerprint256.replaceAll(':', '').toLowerCase();
  const certificate = presented.toString();
  const requestor = { username: fingerprint, protocol: 'tls', address } as const;
  const now = Date.now();
  const inTime = Date.parse(presented.validFrom) <= now && now <= Date.parse(presented.validTo);
  const valid = inTime && (!authority || authority.vouchesFor(presented));
  const entry = valid ? trust.find(fingerprint) : undefined;
  if (valid && authority && !entry && trustsAuthority?.() === true)
    return { trusted: true, admin: true, metrics: false, projects: undefined, fingerprint, certificate, requestor };
  if (!entry || entry.type !== 'client') {
    const metrics = entry?.type === 'metrics';
    return { trusted: false, admin: false, metrics, projects: [], fingerprint, certificate, requestor };
  }
  return {
    trusted: true,
    admin: !entry.restricted,
    metrics: false,
    projects: entry.restricted ? entry.projects : undefined,
    fingerprint,
    certificate,
    requestor,
  };
}

function stranger(address: string): Caller {
  return {
    trusted: false,
    admin: false,
    metrics: false,
    projects: [],
    fingerprint: undefined,
    certificate: undefined,
    requestor: { username: '', protocol: 'tls', address },
  };
}

function userName(uid: number): string {
  try {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find(entry => entry.split(':')[2] === String(uid));
    return line?.split(':')[0] ?? String(uid);
  } catch {
    return String(uid);
  }
}
