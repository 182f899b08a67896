import type { Client } from '../../client.ts';
import type { Session } from '../session.ts';

/** Distributions that the server can build images of; what it has recipes for, it says itself. */
export function isDistribution(reference: string): boolean {
  return /^(debian|ubuntu)\/[a-z0-9.]+$/.test(reference);
}

export interface BuildRequest {
  /** such as debian/12 */
  readonly reference: string;
  readonly aliases: readonly string[];
  readonly variant?: string | undefined;
  /** package archive to take instead of the machine's own */
  readonly mirror?: string | undefined;
}

export async function buildImage(session: Session, client: Client, request: BuildRequest): Promise<string | undefined> {
  const source = {
    type: 'build',
    alias: request.reference,
    ...(request.variant === undefined ? {} : { variant: request.variant }),
    ...(request.mirror === undefined ? {} : { mirror: request.mirror }),
  };
  const operation = await session.finish(
    client.images.create({ source, aliases: request.aliases.map(name => ({ name, description: '' })) }),
    `Building ${request.reference}`,
  );
  const fingerprint = operation?.metadata?.['fingerprint'];
  return typeof fingerprint === 'string' ? fingerprint : undefined;
}
