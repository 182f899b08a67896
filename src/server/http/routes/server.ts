import type { ConfigMap } from '#api/common.ts';
import type { Server } from '#api/server.ts';
import { followAddresses, updateSettings } from '../../settings/update-settings.ts';
import { followFolders } from '../../volumes/server-folders.ts';
import type { Services } from '../../services.ts';
import { apiExtensions } from '../api-extensions.ts';
import { assertEtag } from '../../etag.ts';
import { serverEnvironment } from '../server-environment.ts';
import { type ApiRequest, type Reply, type Route, sync } from '../route.ts';

const body = {
  type: 'object',
  properties: { config: { type: 'object', additionalProperties: { type: 'string' } } },
};

export const serverRoutes: readonly Route[] = [
  { method: 'GET', path: '/', access: 'open', handle: () => sync(['/1.0']) },
  { method: 'GET', path: '/1.0', access: 'open', handle: showServer },
  {
    method: 'PUT',
    path: '/1.0',
    access: 'admin',
    body,
    handle: (services, request) => changeServer(services, request, (_before, given) => given),
  },
  {
    method: 'PATCH',
    path: '/1.0',
    access: 'admin',
    body,
    handle: (services, request) => changeServer(services, request, (before, given) => ({ ...before, ...given })),
  },
];

async function showServer(services: Services, { caller, project }: ApiRequest): Promise<Reply> {
  const server: Server = {
    api_extensions: apiExtensions,
    api_status: 'stable',
    api_version: '1.0',
    auth: caller.trusted ? 'trusted' : 'untrusted',
    public: false,
    auth_methods: ['tls'],
  };
  if (!caller.trusted) return sync(server);
  const environment = await serverEnvironment(services, project);
  const config = caller.admin ? services.settings.visible : {};
  return sync({ ...server, config, environment }, services.settings.visible);
}

async function changeServer(
  services: Services,
  { body, headers, caller }: ApiRequest,
  merge: (before: ConfigMap, given: ConfigMap) => ConfigMap,
): Promise<Reply> {
  const { config = {} } = body as { config?: ConfigMap };
  await updateSettings(
    { ...services, settings: services.administration.settings },
    {
      requestor: caller.requestor,
      followers: [followAddresses(services.control), followFolders(services)],
      change: visible => {
        assertEtag(headers['if-match'], visible);
        return merge(visible, config);
      },
    },
  );
  return sync();
}
