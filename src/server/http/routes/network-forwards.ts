import { ApiError } from '#api/error.ts';
import type { NetworkForwardPut, NetworkForwardsPost } from '#api/network-forward.ts';
import {
  createForward,
  deleteForward,
  showForward,
  showForwards,
  updateForward,
  writableForward,
} from '../../networks/forwards.ts';
import { showNetwork } from '../../networks/show-network.ts';
import type { Services } from '../../services.ts';
import { changeOf, wantsWhole } from '../request.ts';
import { type ApiRequest, created, type JsonSchema, type Reply, type Route, sync } from '../route.ts';

const text: JsonSchema = { type: 'string' };
const properties = {
  description: text,
  config: { type: ['object', 'null'], additionalProperties: text },
  ports: { type: ['array', 'null'], maxItems: 1000, items: { type: 'object', additionalProperties: text } },
} as const;
const putSchema: JsonSchema = { type: 'object', properties };
const postSchema: JsonSchema = {
  type: 'object',
  required: ['listen_address'],
  properties: { listen_address: text, ...properties },
};

const list = '/1.0/networks/:name/forwards';
const one = `${list}/:address`;

export const networkForwardRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: list,
    access: 'project',
    handle: async (services, request) => {
      const forwards = await showForwards(services, nameOf(request));
      const whole = wantsWhole(request.query);
      return sync(whole ? forwards : forwards.map(forward => urlOf(nameOf(request), forward.listen_address)));
    },
  },
  {
    method: 'POST',
    path: list,
    access: 'admin',
    body: postSchema,
    handle: async (services, request) => {
      const { body, caller } = request;
      const address = await createForward(services, nameOf(request), body as NetworkForwardsPost, caller.requestor);
      return created(urlOf(nameOf(request), address));
    },
  },
  {
    method: 'GET',
    path: one,
    access: 'project',
    handle: async (services, request) => {
      const forward = await showForward(services, nameOf(request), addressOf(request));
      return sync(forward, writableForward(forward));
    },
  },
  { method: 'PUT', path: one, access: 'admin', body: putSchema, handle: update },
  { method: 'PATCH', path: one, access: 'admin', body: putSchema, handle: update },
  {
    method: 'DELETE',
    path: one,
    access: 'admin',
    handle: async (services, request) => {
      await deleteForward(services, nameOf(request), addressOf(request), request.caller.requestor);
      return sync();
    },
  },
  ...(['GET', 'POST'] as const).map(method => onlyOvn(method, '/1.0/networks/:name/peers', 'peering')),
  ...(['GET', 'PUT', 'PATCH', 'DELETE'] as const).map(method =>
    onlyOvn(method, '/1.0/networks/:name/peers/:peer', 'peering'),
  ),
];

/** What only OVN networks have, which this server does not. */
function onlyOvn(method: Route['method'], path: string, what: string): Route {
  return {
    method,
    path,
    access: method === 'GET' ? 'project' : 'admin',
    handle: async (services, { params }) => {
      const { type } = await showNetwork(services, params['name'] ?? '');
      throw new ApiError('failed-precondition', `Network driver "${type}" does not support ${what}: only OVN has it`);
    },
  };
}

async function update(services: Services, request: ApiRequest): Promise<Reply> {
  await updateForward(
    services,
    nameOf(request),
    addressOf(request),
    request.body as NetworkForwardPut,
    changeOf(request, writableForward),
  );
  return sync();
}

function nameOf({ params }: ApiRequest): string {
  return params['name'] ?? '';
}

function addressOf({ params }: ApiRequest): string {
  return params['address'] ?? '';
}

function urlOf(network: string, address: string): string {
  return `/1.0/networks/${encodeURIComponent(network)}/forwards/${address}`;
}
