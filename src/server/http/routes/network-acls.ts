import type { NetworkAclPut, NetworkAclsPost } from '#api/network-acl.ts';
import { showAclLog } from '../../networks/acl-log.ts';
import { createAcl, deleteAcl, renameAcl, showAcl, showAcls, updateAcl, writableAcl } from '../../networks/acls.ts';
import type { Services } from '../../services.ts';
import { changeOf, wantsWhole } from '../request.ts';
import { type ApiRequest, created, type JsonSchema, type Reply, type Route, sync } from '../route.ts';

const text: JsonSchema = { type: 'string' };
const config: JsonSchema = { type: ['object', 'null'], additionalProperties: text };
const rules: JsonSchema = {
  type: ['array', 'null'],
  maxItems: 1000,
  items: { type: 'object', additionalProperties: text },
};
const putSchema: JsonSchema = {
  type: 'object',
  properties: { description: text, config, ingress: rules, egress: rules },
};
const postSchema: JsonSchema = {
  type: 'object',
  required: ['name'],
  properties: { name: text, description: text, config, ingress: rules, egress: rules },
};
const renameSchema: JsonSchema = { type: 'object', required: ['name'], properties: { name: text } };

export const networkAclRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/1.0/network-acls',
    access: 'project',
    handle: async (services, { query }) => {
      const acls = await showAcls(services);
      return sync(wantsWhole(query) ? acls : acls.map(({ name }) => urlOf(name)));
    },
  },
  {
    method: 'POST',
    path: '/1.0/network-acls',
    access: 'admin',
    body: postSchema,
    handle: async (services, { body, caller }) => {
      const request = body as NetworkAclsPost;
      await createAcl(services, request, caller.requestor);
      return created(urlOf(request.name));
    },
  },
  {
    method: 'GET',
    path: '/1.0/network-acls/:name',
    access: 'project',
    handle: async (services, request) => {
      const acl = await showAcl(services, nameOf(request));
      return sync(acl, writableAcl(acl));
    },
  },
  { method: 'PUT', path: '/1.0/network-acls/:name', access: 'admin', body: putSchema, handle: update },
  { method: 'PATCH', path: '/1.0/network-acls/:name', access: 'admin', body: putSchema, handle: update },
  {
    method: 'POST',
    path: '/1.0/network-acls/:name',
    access: 'admin',
    body: renameSchema,
    handle: async (services, request) => {
      const { name } = request.body as { readonly name: string };
      await renameAcl(services, nameOf(request), name, request.caller.requestor);
      return created(urlOf(name));
    },
  },
  {
    method: 'DELETE',
    path: '/1.0/network-acls/:name',
    access: 'admin',
    handle: async (services, request) => {
      await deleteAcl(services, nameOf(request), request.caller.requestor);
      return sync();
    },
  },
  {
    method: 'GET',
    path: '/1.0/network-acls/:name/log',
    access: 'project',
    handle: async (services, request) => ({
      kind: 'raw',
      headers: { 'content-type': 'application/octet-stream' },
      body: await showAclLog(services, nameOf(request)),
    }),
  },
];

async function update(services: Services, request: ApiRequest): Promise<Reply> {
  await updateAcl(services, nameOf(request), request.body as NetworkAclPut, changeOf(request, writableAcl));
  return sync();
}

function nameOf({ params }: ApiRequest): string {
  return params['name'] ?? '';
}

function urlOf(name: string): string {
  return `/1.0/network-acls/${encodeURIComponent(name)}`;
}
