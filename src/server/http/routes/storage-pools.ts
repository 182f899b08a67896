import type { StoragePool, StoragePoolPut, StoragePoolsPost } from '#api/storage.ts';
import { createPool } from '../../pools/create-pool.ts';
import { deletePool } from '../../pools/delete-pool.ts';
import { findPool, listPools } from '../../pools/list-pools.ts';
import { poolResources } from '../../pools/pool-resources.ts';
import { updatePool } from '../../pools/update-pool.ts';
import type { Services } from '../../services.ts';
import { assertEtag } from '../../etag.ts';
import { visibleUsers } from '../project-access.ts';
import { wantsWhole } from '../request.ts';
import { type ApiRequest, created, type Reply, type Route, sync } from '../route.ts';

const config = { type: 'object', additionalProperties: { type: 'string' } };
const change = { type: 'object', properties: { description: { type: 'string', maxLength: 4096 }, config } };
const creation = {
  type: 'object',
  required: ['name', 'driver'],
  properties: { ...change.properties, name: { type: 'string' }, driver: { type: 'string' } },
};

const pools = '/1.0/storage-pools';

export const storagePoolRoutes: readonly Route[] = [
  { method: 'GET', path: pools, access: 'trusted', handle: list },
  { method: 'POST', path: pools, access: 'admin', body: creation, handle: create },
  { method: 'GET', path: `${pools}/:name`, access: 'trusted', handle: get },
  {
    method: 'PUT',
    path: `${pools}/:name`,
    access: 'admin',
    body: change,
    handle: (services, request) => update(services, request, () => ({})),
  },
  {
    method: 'PATCH',
    path: `${pools}/:name`,
    access: 'admin',
    body: change,
    handle: (services, request) => update(services, request, current => current.config),
  },
  { method: 'DELETE', path: `${pools}/:name`, access: 'admin', handle: remove },
  {
    method: 'GET',
    path: `${pools}/:name/resources`,
    access: 'trusted',
    handle: async (services, request) => sync(await poolResources(services, nameOf(request))),
  },
];

async function list(services: Services, request: ApiRequest): Promise<Reply> {
  const all = await listPools(services);
  return sync(wantsWhole(request.query) ? all.map(pool => seenBy(request, pool)) : all.map(pool => urlOf(pool.name)));
}

async function get(services: Services, request: ApiRequest): Promise<Reply> {
  const pool = await findPool(services, nameOf(request));
  return sync(seenBy(request, pool), writable(pool));
}

async function create(services: Services, { body, caller }: ApiRequest): Promise<Reply> {
  const request = body as StoragePoolsPost;
  await createPool(services, request, caller.requestor);
  return created(urlOf(request.name));
}

async function update(
  services: Services,
  request: ApiRequest,
  base: (current: Pick<StoragePool, 'config'>) => StoragePool['config'],
): Promise<Reply> {
  const given = request.body as StoragePoolPut;
  await updatePool(services, {
    name: nameOf(request),
    requestor: request.caller.requestor,
    change: current => {
      assertEtag(request.headers['if-match'], writable(current));
      const description = given.description ?? (request.method === 'PATCH' ? current.description : '');
      return { description, config: { ...base(current), ...given.config } };
    },
  });
  return sync();
}

async function remove(services: Services, request: ApiRequest): Promise<Reply> {
  await deletePool(services, nameOf(request), request.caller.requestor);
  return sync();
}

/** Restricted clients do not see where a pool lies on the host. */
function seenBy(request: ApiRequest, pool: StoragePool): StoragePool {
  return visibleUsers(request, request.caller.admin ? pool : { ...pool, config: {} });
}

function writable({
  name,
  driver,
  description,
  config,
}: Omit<StoragePool, 'status' | 'locations' | 'used_by'>): unknown {
  return { name, driver, description, config };
}

function nameOf({ params }: ApiRequest): string {
  return params['name'] ?? '';
}

function urlOf(name: string): string {
  return `${pools}/${encodeURIComponent(name)}`;
}
