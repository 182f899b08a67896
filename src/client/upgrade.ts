import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { request as httpRequest } from 'node:http';
import { ApiError } from '#api/error.ts';
import { connectionError, connectOptions, pinCertificate, type Target } from './http.ts';

/** Opens a connection that leaves HTTP for another protocol, such as "sftp". */
export async function openUpgrade(target: Target, path: string, protocol: string): Promise<Duplex> {
  const connection = await connectOptions(target);
  const headers = { ...(connection.headers as object), connection: 'Upgrade', upgrade: protocol };
  const start = target.kind === 'unix' ? httpRequest : (await import('node:https')).request;
  return await new Promise((resolve, reject) => {
    const outgoing = start({ ...connection, path, headers });
    outgoing.on('error', error => reject(connectionError(target, error)));
    outgoing.on('upgrade', (_answer, socket: Duplex, head: Buffer) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    outgoing.on('response', answer => void refusal(answer).then(reject, reject));
    if (target.kind === 'tls') pinCertificate(outgoing, target);
    outgoing.end();
  });
}

async function refusal(answer: IncomingMessage): Promise<ApiError> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  const status = String(answer.statusCode);
  try {
    const { error } = JSON.parse(Buffer.concat(parts).toString()) as { readonly error?: string };
    return new ApiError('unavailable', error ?? `The server refused with status ${status}`);
  } catch {
    return new ApiError('unavailable', `The server refused with status ${status}`);
  }
}
