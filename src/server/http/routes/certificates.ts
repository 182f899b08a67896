import type { Certificate, CertificatesPost } from '#api/certificate.ts';
import { ApiError, notFound } from '#api/error.ts';
import { addCertificate, grantOf } from '../../certificates/add-certificate.ts';
import { changeCertificate, removeCertificate } from '../../certificates/change-certificate.ts';
import { issueToken } from '../../certificates/trust-token.ts';
import { getProject } from '../../database/projects.ts';
import type { Services } from '../../services.ts';
import { assertEtag } from '../../etag.ts';
import { wantsWhole } from '../request.ts';
import { accepted, type ApiRequest, type Caller, created, type Reply, type Route, sync } from '../route.ts';

const body = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    type: { type: 'string' },
    restricted: { type: 'boolean' },
    projects: { type: 'array', items: { type: 'string' } },
    certificate: { type: 'string', maxLength: 65_536 },
    password: { type: 'string', maxLength: 4096 },
    token: { type: 'boolean' },
  },
};

export const certificateRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/1.0/certificates',
    access: 'trusted',
    handle: ({ administration }, { query, caller }) => {
      const seen = administration.trust.list().filter(entry => maySee(caller, entry));
      const whole = wantsWhole(query);
      return sync(whole ? seen : seen.map(({ fingerprint }) => `/1.0/certificates/${fingerprint}`));
    },
  },
  { method: 'POST', path: '/1.0/certificates', access: 'open', body, handle: add },
  {
    method: 'GET',
    path: '/1.0/certificates/:fingerprint',
    access: 'trusted',
    handle: (services, request) => {
      const certificate = certificateOf(services, request);
      return sync(certificate, writable(certificate));
    },
  },
  {
    method: 'PUT',
    path: '/1.0/certificates/:fingerprint',
    access: 'trusted',
    body,
    handle: (services, request) => change(services, request, (_current, given) => given),
  },
  {
    method: 'PATCH',
    path: '/1.0/certificates/:fingerprint',
    access: 'trusted',
    body,
    handle: (services, request) => change(services, request, (current, given) => ({ ...current, ...given })),
  },
  {
    method: 'DELETE',
    path: '/1.0/certificates/:fingerprint',
    access: 'admin',
    handle: async (services, { params, caller }) => {
      await removeCertificate(services, params['fingerprint'] ?? '', caller.requestor);
      return sync();
    },
  },
];

async function add(services: Services, { body, caller }: ApiRequest): Promise<Reply> {
  const request = body as CertificatesPost;
  if (caller.trusted && !caller.admin)
    throw new ApiError('permission-denied', 'Not authorized: this certificate is restricted to projects');
  if (request.token) {
    if (!caller.admin) throw new ApiError('permission-denied', 'Not authorized');
    const grant = grantOf(request);
    for (const name of grant.projects) await services.database.read(reader => getProject(reader, name));
    return accepted(issueToken(services, grant, caller.requestor));
  }
  const fingerprint = await addCertificate(services, {
    request,
    trusted: caller.trusted,
    presented: caller.certificate,
    requestor: caller.requestor,
  });
  return created(`/1.0/certificates/${fingerprint}`);
}

async function change(
  services: Services,
  request: ApiRequest,
  merge: (current: Certificate, given: CertificatesPost) => CertificatesPost,
): Promise<Reply> {
  const { caller, headers } = request;
  await changeCertificate(services, {
    fingerprint: certificateOf(services, request).fingerprint,
    requestor: caller.requestor,
    admin: caller.admin,
    change: current => {
      assertEtag(headers['if-match'], writable(current));
      return merge(current, request.body as CertificatesPost);
    },
  });
  return sync();
}

/** The certificate of the path; a restricted client sees only its own. */
function certificateOf({ administration }: Services, { params, caller }: ApiRequest): Certificate {
  const prefix = params['fingerprint'] ?? '';
  const certificate = administration.trust.get(prefix);
  if (!maySee(caller, certificate)) throw notFound('Certificate', prefix);
  return certificate;
}

function maySee(caller: Caller, { fingerprint }: Certificate): boolean {
  return caller.admin || fingerprint === caller.fingerprint;
}

function writable({ name, type, restricted, projects, certificate }: Certificate): unknown {
  return { name, type, restricted, projects, certificate };
}
