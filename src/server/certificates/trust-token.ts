import { randomBytes } from 'node:crypto';
import type { CertificatesPost } from '#api/certificate.ts';
import type { Requestor } from '#api/event.ts';
import { ApiError } from '#api/error.ts';
import type { Operation } from '#api/operation.ts';
import type { Services } from '../services.ts';

type Uses = Pick<Services, 'control' | 'identity' | 'operations' | 'settings'>;

/** What a token lets its one user add. */
export interface TokenGrant {
  readonly name: string;
  readonly restricted: boolean;
  readonly projects: readonly string[];
}

/** Starts a token operation; its metadata is what the command line packs into the printed token. */
export function issueToken(services: Uses, grant: TokenGrant, requestor: Requestor): Operation {
  const addresses = services.control.addresses;
  if (addresses.length === 0)
    throw new ApiError(
      'failed-precondition',
      'Cannot issue a trust token while the server does not listen on the network; ' +
        'set it first: lxd-like config set core.https_address :8443',
    );
  const expiry = expiryOf(services.settings.get('core.remote_token_expiry'));
  return services.operations.run({
    class: 'token',
    description: 'Adding a certificate by token',
    project: '',
    requestor,
    metadata: {
      secret: randomBytes(32).toString('hex'),
      fingerprint: services.identity.fingerprint,
      addresses,
      request: { ...grant, type: 'client', token: true } satisfies CertificatesPost,
      ...(expiry && { expiresAt: expiry.toISOString() }),
    },
  });
}

/** Uses up the token in a password; undefined when the password is no token. Throws when it is one that is not open. */
export function redeemToken({ operations }: Pick<Services, 'operations'>, password: string): TokenGrant | undefined {
  const token = decode(password);
  if (!token) return undefined;
  const taken = operations.takeToken(({ secret, expiresAt }) => {
    const expired = typeof expiresAt === 'string' && Date.parse(expiresAt) < Date.now();
    return secret === token.secret && !expired;
  });
  if (!taken)
    throw new ApiError('permission-denied', 'The trust token is not valid: it was used, revoked or has expired');
  return taken.metadata?.['request'] as TokenGrant;
}

function decode(password: string): { readonly secret: string } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(password, 'base64').toString());
    const secret = (value as { secret?: unknown } | null)?.secret;
    return typeof secret === 'string' && secret !== '' ? { secret } : undefined;
  } catch {
    return undefined;
  }
}

const spanMs: Readonly<Record<string, number>> = {
  S: 1000,
  M: 60_000,
  H: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  m: 30 * 86_400_000,
  y: 365 * 86_400_000,
};

function expiryOf(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const ms = text.split(' ').reduce((sum, part) => sum + Number.parseInt(part, 10) * (spanMs[part.slice(-1)] ?? 0), 0);
  return new Date(Date.now() + ms);
}
