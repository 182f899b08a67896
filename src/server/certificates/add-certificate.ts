import type { CertificatesPost } from '#api/certificate.ts';
import type { Requestor } from '#api/event.ts';
import { alreadyExists, ApiError, invalid } from '#api/error.ts';
import { Lane } from '#base/lane.ts';
import { hasControlCharacters } from '#base/names.ts';
import { insertCertificate } from '../database/certificates.ts';
import { ConflictError } from '../database/database.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Services } from '../services.ts';
import { passwordFits } from '../settings/password.ts';
import { parseCertificate, type ParsedCertificate } from './parse-certificate.ts';
import { redeemToken, type TokenGrant } from './trust-token.ts';

type Uses = Pick<Services, 'administration' | 'events' | 'operations'>;

/** Who wants to add a certificate: unrestricted clients add any, strangers the one they present. */
export interface Enrolment {
  readonly request: CertificatesPost;
  readonly trusted: boolean;
  /** PEM that the client presented */
  readonly presented: string | undefined;
  readonly requestor: Requestor;
}

// one password guess at a time, so that guessing is slow and cannot fill the thread pool
const guesses = new Lane(1);

/** Adds a certificate to the trust store; gives its fingerprint. */
export async function addCertificate(services: Uses, enrolment: Enrolment): Promise<string> {
  const { request, requestor, trusted } = enrolment;
  const parsed = certificateOf(enrolment);
  const { trust } = services.administration;
  if (trusted) refuseKnown(services, parsed);
  const asked = grantOf(request);
  const grant = trusted ? asked : await earnGrant(services, request, asked);
  refuseKnown(services, parsed);
  try {
    await trust.change(tx =>
      insertCertificate(tx, {
        ...parsed,
        ...grant,
        type: trusted && request.type === 'metrics' ? 'metrics' : 'client',
      }),
    );
  } catch (error) {
    if (error instanceof ConflictError) throw alreadyExists('Certificate', parsed.fingerprint);
    throw error;
  }
  emitLifecycle(services.events, 'certificate-created', `/1.0/certificates/${parsed.fingerprint}`, { requestor });
  return parsed.fingerprint;
}

/** Checks the members that say what a certificate may do. */
export function grantOf({ name = '', type, restricted = false, projects }: CertificatesPost): TokenGrant {
  // LXD's client leaves the type empty when it adds itself with a token
  if (type === 'server')
    throw new ApiError('unsupported', `Certificates of type "${type}" have no use on a server without a cluster`);
  if (hasControlCharacters(name) || name.length > 255)
    throw invalid('name', 'must be at most 255 printable characters');
  if (!restricted && projects && projects.length > 0)
    throw invalid('projects', 'only a restricted certificate can be bound to projects');
  return { name, restricted, projects: [...new Set(projects ?? [])] };
}

function certificateOf({ request, trusted, presented }: Enrolment): ParsedCertificate {
  const given = request.certificate ?? '';
  if (given === '') {
    if (presented === undefined) throw new ApiError('invalid-argument', 'No client certificate was given or presented');
    return parseCertificate(presented);
  }
  const parsed = parseCertificate(given);
  if (!trusted && (presented === undefined || parseCertificate(presented).fingerprint !== parsed.fingerprint))
    throw new ApiError('permission-denied', 'Only the certificate that the connection uses can be added');
  return parsed;
}

/** A stranger needs a token, whose grant counts, or the trust password. */
async function earnGrant(services: Uses, { password = '' }: CertificatesPost, asked: TokenGrant): Promise<TokenGrant> {
  const refused = new ApiError('permission-denied', 'The trust password or token is not right');
  if (password === '') throw refused;
  const granted = redeemToken(services, password);
  if (granted) return granted;
  const hash = services.administration.settings.stored['core.trust_password'];
  if (hash === undefined || !(await guesses.run(() => passwordFits(hash, password)))) throw refused;
  return asked;
}

function refuseKnown({ administration }: Uses, { fingerprint }: ParsedCertificate): void {
  if (administration.trust.find(fingerprint)) throw alreadyExists('Certificate', fingerprint);
}
