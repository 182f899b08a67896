import type { IncomingMessage } from 'node:http';
import secureJson from 'secure-json-parse';
import { ApiError } from '#api/error.ts';

export const maxJsonBytes = 4 * 2 ** 20;
const maxDepth = 32;
const readTimeoutMs = 60_000;

/** Reads and parses a JSON body; undefined when it is empty. Refuses what is too big, too deep, too slow or poisoned. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request);
  if (text.trim() === '') return undefined;
  if (nestedTooDeep(text)) throw new ApiError('invalid-argument', 'The JSON body is nested too deep');
  try {
    return secureJson.parse(text, null, { protoAction: 'error', constructorAction: 'error' });
  } catch (error) {
    throw new ApiError('invalid-argument', `The body is not valid JSON: ${(error as Error).message}`);
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const tooBig = (): ApiError =>
    new ApiError('invalid-argument', `The JSON body is larger than ${String(maxJsonBytes)} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxJsonBytes) throw tooBig();
  const timer = setTimeout(() => request.destroy(new Error('The body came too slowly')), readTimeoutMs);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxJsonBytes) throw tooBig();
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).toString();
}

function nestedTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === 0x5c) index += 1;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return false;
}
