import type { Operation } from '#api/operation.ts';

/** What a token says to a client that wants to be trusted. */
export interface JoinToken {
  readonly client_name: string;
  readonly fingerprint: string;
  readonly addresses: readonly string[];
  readonly secret: string;
  readonly expires_at: string;
}

/** The token as LXD writes it: base64 of JSON. */
export function encodeToken(clientName: string, operation: Operation): string {
  const metadata = operation.metadata ?? {};
  const token: JoinToken = {
    client_name: clientName,
    fingerprint: textOf(metadata['fingerprint']),
    addresses: (metadata['addresses'] as readonly string[] | undefined) ?? [],
    secret: textOf(metadata['secret']),
    expires_at: textOf(metadata['expiresAt']) || '0001-01-01T00:00:00Z',
  };
  return Buffer.from(JSON.stringify(token)).toString('base64');
}

/** Undefined when the text is no token. */
export function decodeToken(text: string): JoinToken | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length < 40) return undefined;
  try {
    const token = JSON.parse(Buffer.from(text, 'base64').toString()) as Partial<JoinToken>;
    if (!token.secret || !token.fingerprint || !Array.isArray(token.addresses)) return undefined;
    return { client_name: '', expires_at: '', ...token } as JoinToken;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
