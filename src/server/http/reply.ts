import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import type { Envelope } from '#api/envelope.ts';
import type { ApiError } from '#api/error.ts';
import { statusCodes } from '#api/operation.ts';
import { etagOf } from '../etag.ts';
import type { Reply } from './route.ts';

const json = 'application/json';

/** Writes a route's answer in LXD's envelope. */
export async function sendReply(reply: FastifyReply, answer: Reply): Promise<void> {
  switch (answer.kind) {
    case 'sync':
      if (answer.etag !== undefined) reply.header('etag', `"${etagOf(answer.etag)}"`);
      await sendJson(reply, 200, syncText(JSON.stringify(answer.metadata ?? null)));
      return;
    case 'sync-text':
      await sendJson(reply, 200, syncText(answer.metadataText));
      return;
    case 'created':
      reply.header('location', answer.location);
      await sendJson(reply, 201, syncText('null'));
      return;
    case 'accepted': {
      const url = `/1.0/operations/${answer.operation.id}`;
      reply.header('location', url);
      const text = JSON.stringify(
        envelope({
          type: 'async',
          status: 'Operation created',
          status_code: statusCodes['Operation created'],
          operation: url,
          metadata: answer.operation,
        }),
      );
      await sendJson(reply, 202, text);
      return;
    }
    case 'raw':
      await sendRaw(reply, answer);
      return;
    case 'hijacked':
      reply.hijack();
  }
}

export function errorEnvelope(error: ApiError): Envelope<null> {
  return {
    type: 'error',
    status: '',
    status_code: 0,
    operation: '',
    error_code: error.status,
    error: error.message,
    metadata: null,
    code: error.code,
  };
}

async function sendRaw(reply: FastifyReply, answer: Reply & { readonly kind: 'raw' }): Promise<void> {
  reply.code(answer.status ?? 200).headers(answer.headers);
  const { body } = answer;
  if (reply.request.method === 'HEAD' && body instanceof Readable) {
    body.destroy();
    await reply.send();
    return;
  }
  if (!reply.hasHeader('content-type')) reply.header('content-type', 'application/octet-stream');
  await reply.send(body ?? '');
}

async function sendJson(reply: FastifyReply, status: number, text: string): Promise<void> {
  await reply.code(status).header('content-type', json).send(`${text}\n`);
}

function syncText(metadataText: string): string {
  return (
    '{"type":"sync","status":"Success","status_code":200,"operation":"","error_code":0,"error":"",' +
    `"metadata":${metadataText}}`
  );
}

function envelope<T>(members: Partial<Envelope<T>> & { readonly metadata: T }): Envelope<T> {
  return { type: 'sync', status: '', status_code: 0, operation: '', error_code: 0, error: '', ...members };
}
