import { createHash } from 'node:crypto';
import { ApiError } from '#api/error.ts';

/** Digest of the writable part of an object; equal parts have equal digests whatever the order of their keys. */
export function etagOf(writable: unknown): string {
  return createHash('sha256').update(JSON.stringify(writable, sortKeys)).digest('hex');
}

/** Throws "etag-mismatch" when the client saw another state. Call it inside the write transaction. */
export function assertEtag(ifMatch: string | undefined, writable: unknown): void {
  if (ifMatch === undefined || ifMatch === '' || ifMatch === '*') return;
  const given = ifMatch.replace(/^W\//, '').replaceAll('"', '');
  const current = etagOf(writable);
  if (given === current) return;
  throw new ApiError(
    'etag-mismatch',
    `The object has changed since it was read: its ETag is "${current}", not "${given}"`,
  );
}

function sortKeys(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
