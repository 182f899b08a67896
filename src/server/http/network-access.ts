import { defaultProject } from '#api/common.ts';
import { notFound, ApiError } from '#api/error.ts';
import type { Network } from '#api/network.ts';
import { ownerProject } from '../database/project-features.ts';
import { getProjectRecord } from '../database/projects.ts';
import { showNetwork } from '../networks/show-network.ts';
import { networkAllowed } from '../projects/network-allowed.ts';
import type { Services } from '../services.ts';
import { visibleUsers } from './project-access.ts';
import type { ApiRequest } from './route.ts';

/**
 * Which networks a project may see: those of the default project that its restrictions allow. A project with networks of
 * its own sees only those, and bridges are never a project's own.
 */
export async function networkFilter(
  { database }: Pick<Services, 'database'>,
  { project }: ApiRequest,
): Promise<(network: Pick<Network, 'name' | 'managed'>) => boolean> {
  return await database.read(async reader => {
    if ((await ownerProject(reader, project, 'networks')) !== defaultProject) return () => false;
    const { config } = await getProjectRecord(reader, project);
    return ({ name, managed }) => networkAllowed(config, name, managed);
  });
}

/** The network of the path; throws "not-found" for one that the project may not see. */
export async function visibleNetwork(services: Services, request: ApiRequest): Promise<Network> {
  const name = request.params['name'] ?? '';
  const allowed = await networkFilter(services, request);
  const network = await showNetwork(services, name);
  if (!allowed(network)) throw notFound('Network', name);
  return network;
}

/** Throws "invalid-argument" in a project with networks of its own: no type that is here can be one. */
export async function refuseOwnNetworks(
  { database }: Pick<Services, 'database'>,
  { project }: ApiRequest,
  type: string,
): Promise<void> {
  const owner = await database.read(reader => ownerProject(reader, project, 'networks'));
  if (owner === defaultProject) return;
  throw new ApiError(
    'invalid-argument',
    `Networks of type "${type}" can only be created in project "${defaultProject}", and project "${project}" has "features.networks"`,
  );
}

/** Restricted clients see neither config of the host nor users in other projects. */
export function seenBy(request: ApiRequest, network: Network): Network {
  return visibleUsers(request, request.caller.admin ? network : { ...network, config: {} });
}
