import type { Certificate, CertificatesPost } from '#api/certificate.ts';
import { ApiError } from '#api/error.ts';
import { deleteCertificate, updateCertificate } from '../database/certificates.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Requestor } from '#api/event.ts';
import type { Services } from '../services.ts';
import { grantOf } from './add-certificate.ts';
import { parseCertificate } from './parse-certificate.ts';

type Uses = Pick<Services, 'administration' | 'events' | 'locks'>;

interface Change {
  /** fingerprint or its beginning */
  readonly fingerprint: string;
  readonly requestor: Requestor;
  /** false for the owner of a restricted certificate, who may only renew it */
  readonly admin: boolean;
  /** the new members from the current ones; throws when the client saw another state */
  readonly change: (current: Certificate) => CertificatesPost;
}

export async function changeCertificate(services: Uses, change: Change): Promise<void> {
  const { trust } = services.administration;
  using _lock = await services.locks.hold('certificates', 'update');
  const current = trust.get(change.fingerprint);
  const wanted = change.change(current);
  const grant = grantOf(wanted);
  const parsed =
    wanted.certificate === undefined || wanted.certificate === '' ? current : parseCertificate(wanted.certificate);
  const { certificate, fingerprint } = parsed;
  const next: Certificate = { ...grant, type: 'client', certificate, fingerprint };
  if (!change.admin && !sameRights(current, next))
    throw new ApiError('permission-denied', 'Not authorized: a restricted client may only renew its certificate');
  await trust.change(tx => updateCertificate(tx, current.fingerprint, next));
  emitLifecycle(services.events, 'certificate-updated', `/1.0/certificates/${fingerprint}`, {
    requestor: change.requestor,
  });
}

export async function removeCertificate(services: Uses, prefix: string, requestor: Requestor): Promise<void> {
  const { trust } = services.administration;
  using _lock = await services.locks.hold('certificates', 'delete');
  const { fingerprint } = trust.get(prefix);
  await trust.change(tx => deleteCertificate(tx, fingerprint));
  emitLifecycle(services.events, 'certificate-deleted', `/1.0/certificates/${fingerprint}`, { requestor });
}

function sameRights(one: Certificate, other: Certificate): boolean {
  const rights = ({ name, type, restricted, projects }: Certificate): string =>
    JSON.stringify([name, type, restricted, [...projects].sort()]);
  return rights(one) === rights(other);
}
