import type { NetworkPut, NetworksPost } from '#api/network.ts';
import { createNetwork } from '../../networks/create-network.ts';
import { deleteNetwork } from '../../networks/delete-network.ts';
import { explainTarget } from '../../networks/explain.ts';
import { renameNetwork } from '../../networks/rename-network.ts';
import { showLeases, showNetworks, showState, writablePart } from '../../networks/show-network.ts';
import { updateNetwork } from '../../networks/update-network.ts';
import type { Services } from '../../services.ts';
import { networkFilter, refuseOwnNetworks, seenBy, visibleNetwork } from '../network-access.ts';
import { changeOf, wantsWhole } from '../request.ts';
import { type ApiRequest, created, type JsonSchema, type Reply, type Route, sync } from '../route.ts';

const config: JsonSchema = { type: 'object', additionalProperties: { type: 'string' } };

const postSchema: JsonSchema = {
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string' },
    type: { type: 'string' },
    description: { type: 'string' },
    config,
  },
};

const putSchema: JsonSchema = { type: 'object', properties: { description: { type: 'string' }, config } };

const renameSchema: JsonSchema = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } };

export const networkRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/1.0/networks',
    access: 'project',
    handle: async (services, request) => {
      const all = await showNetworks(services);
      const allowed = await networkFilter(services, request);
      const networks = all.filter(allowed);
      const whole = wantsWhole(request.query);
      return sync(whole ? networks.map(network => seenBy(request, network)) : networks.map(({ name }) => urlOf(name)));
    },
  },
  {
    method: 'POST',
    path: '/1.0/networks',
    access: 'admin',
    body: postSchema,
    handle: async (services, request) => {
      const network = request.body as NetworksPost;
      const type = network.type || 'bridge';
      await refuseOwnNetworks(services, request, type);
      await createNetwork(services, { ...network, type }, request.caller.requestor);
      return created(urlOf(network.name));
    },
  },
  {
    method: 'GET',
    path: '/1.0/networks/:name',
    access: 'project',
    handle: async (services, request) => {
      const network = await visibleNetwork(services, request);
      return sync(seenBy(request, network), { ...(writablePart(network) as object), managed: network.managed });
    },
  },
  { method: 'PUT', path: '/1.0/networks/:name', access: 'admin', body: putSchema, handle: update },
  { method: 'PATCH', path: '/1.0/networks/:name', access: 'admin', body: putSchema, handle: update },
  {
    method: 'POST',
    path: '/1.0/networks/:name',
    access: 'admin',
    body: renameSchema,
    handle: async (services, request) => {
      const { name } = request.body as { readonly name: string };
      await visibleNetwork(services, request);
      await renameNetwork(services, nameOf(request), name, request.caller.requestor);
      return created(urlOf(name));
    },
  },
  {
    method: 'DELETE',
    path: '/1.0/networks/:name',
    access: 'admin',
    handle: async (services, request) => {
      await visibleNetwork(services, request);
      await deleteNetwork(services, nameOf(request), request.caller.requestor);
      return sync();
    },
  },
  {
    method: 'GET',
    path: '/1.0/networks/:name/leases',
    access: 'project',
    handle: async (services, request) => {
      await visibleNetwork(services, request);
      return sync(await showLeases(services, nameOf(request)));
    },
  },
  {
    method: 'GET',
    path: '/1.0/networks/:name/state',
    access: 'project',
    handle: async (services, request) => {
      await visibleNetwork(services, request);
      return sync(await showState(services, nameOf(request)));
    },
  },
  {
    method: 'GET',
    path: '/1.0/network-explanations', // ours
    access: 'admin',
    handle: async (services, { query }) => sync(await explainTarget(services, query['target'] ?? '')),
  },
];

async function update(services: Services, request: ApiRequest): Promise<Reply> {
  await visibleNetwork(services, request);
  await updateNetwork(services, nameOf(request), request.body as NetworkPut, changeOf(request, writablePart));
  return sync();
}

function nameOf({ params }: ApiRequest): string {
  return params['name'] ?? '';
}

function urlOf(name: string): string {
  return `/1.0/networks/${encodeURIComponent(name)}`;
}
