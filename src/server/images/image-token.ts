import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Requestor } from '#api/event.ts';
import type { Operation } from '#api/operation.ts';
import type { Services } from '../services.ts';

type Uses = Pick<Services, 'operations'>;

// a client that reads the image with its token may ask for both description and files
const graceMs = 5000;

/**
 * A secret that opens one image to a stranger: to read it, or, with what the image is to get, to send it. It is the
 * metadata of an operation that lasts until the token is used or cancelled.
 */
export function issueImageToken(
  { operations }: Uses,
  image: { readonly project: string; readonly fingerprint: string },
  requestor: Requestor,
  grant: Readonly<Record<string, unknown>> = {},
): Operation {
  return operations.run({
    class: 'token',
    description: 'Image download token',
    project: image.project,
    requestor,
    resources: { images: [imagePath(image.fingerprint)] },
    metadata: { ...grant, secret: randomBytes(32).toString('hex') },
  });
}

/** The open token with this secret for this image; undefined when there is none. */
export function findImageToken({ operations }: Uses, fingerprint: string, secret: string): Operation | undefined {
  return operations.list().find(operation => opens(operation, fingerprint, secret));
}

/** Ends a token that was used, when its client has had the time to finish with it. */
export function spendImageToken({ operations }: Uses, token: Operation): void {
  const spend = (): unknown => operations.takeToken((_metadata, operation) => operation.id === token.id);
  setTimeout(spend, graceMs).unref();
}

/** Ends the token at once; undefined when it is not open. Only one taker wins. */
export function takeImageToken({ operations }: Uses, fingerprint: string, secret: string): Operation | undefined {
  return operations.takeToken((_metadata, operation) => opens(operation, fingerprint, secret));
}

export function imagePath(fingerprint: string): string {
  return `/1.0/images/${fingerprint}`;
}

function opens({ class: kind, status, resources, metadata }: Operation, fingerprint: string, secret: string): boolean {
  if (kind !== 'token' || status !== 'Running' || resources?.['images']?.[0] !== imagePath(fingerprint)) return false;
  const expected = Buffer.from(String(metadata?.['secret']));
  const given = Buffer.from(secret);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
