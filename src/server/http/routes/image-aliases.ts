import type { Requestor } from '#api/event.ts';
import { notFound } from '#api/error.ts';
import {
  aliasToApi,
  deleteAliasRow,
  getAlias,
  insertAlias,
  listAliases,
  saveAlias,
} from '../../database/image-aliases.ts';
import { imageProjectOf } from '../../database/images.ts';
import { emitLifecycle } from '../../events/event-bus.ts';
import { aliasSchema, checkAliasName } from '../../images/image-settings.ts';
import { imageByFingerprint } from '../../images/resolve-image.ts';
import type { Services } from '../../services.ts';
import { assertEtag } from '../../etag.ts';
import { wantsWhole } from '../request.ts';
import { created, sync, type ApiRequest, type Reply, type Route } from '../route.ts';
import { seesAll } from './images.ts';

const target = { type: 'string', maxLength: 64 };
const description = { type: 'string', maxLength: 8192 };
const postSchema = {
  ...aliasSchema,
  required: ['name', 'target'],
  properties: { ...aliasSchema.properties, target, type: { type: 'string' } },
};
const changeSchema = { type: 'object', properties: { target, description } };

export const imageAliasRoutes: readonly Route[] = [
  { method: 'GET', path: '/1.0/images/aliases', access: 'project', handle: list },
  { method: 'POST', path: '/1.0/images/aliases', access: 'project', body: postSchema, handle: create },
  { method: 'GET', path: '/1.0/images/aliases/:name', access: 'open', slashes: true, handle: show },
  {
    method: 'POST',
    path: '/1.0/images/aliases/:name',
    access: 'project',
    slashes: true,
    body: aliasSchema,
    handle: rename,
  },
  {
    method: 'PUT',
    path: '/1.0/images/aliases/:name',
    access: 'project',
    slashes: true,
    body: changeSchema,
    handle: update,
  },
  {
    method: 'PATCH',
    path: '/1.0/images/aliases/:name',
    access: 'project',
    slashes: true,
    body: changeSchema,
    handle: update,
  },
  { method: 'DELETE', path: '/1.0/images/aliases/:name', access: 'project', slashes: true, handle: remove },
];

interface AliasBody {
  readonly name?: string;
  readonly description?: string;
  readonly target?: string;
}

async function list({ database }: Services, { project, query }: ApiRequest): Promise<Reply> {
  const aliases = await database.read(async reader => listAliases(reader, await imageProjectOf(reader, project)));
  return sync(wantsWhole(query) ? aliases.map(aliasToApi) : aliases.map(({ name }) => aliasPath(name)));
}

async function show({ database }: Services, request: ApiRequest): Promise<Reply> {
  const name = request.params['name'] ?? '';
  const alias = await database.read(async reader =>
    getAlias(reader, await imageProjectOf(reader, request.project), name),
  );
  if (!alias.public && !seesAll(request)) throw notFound('Image alias', name);
  return sync(aliasToApi(alias), aliasToApi(alias));
}

async function create({ database, events }: Services, { project, body, caller }: ApiRequest): Promise<Reply> {
  const { name = '', description = '', target = '' } = body as AliasBody;
  checkAliasName(name);
  const owner = await database.write(async tx => {
    const imageProject = await imageProjectOf(tx, project);
    const image = await imageByFingerprint(tx, imageProject, target);
    await insertAlias(tx, imageProject, { name, description, imageId: image.id });
    return imageProject;
  });
  tell(events, 'created', name, owner, caller.requestor);
  return created(aliasPath(name));
}

async function rename({ database, events }: Services, request: ApiRequest): Promise<Reply> {
  const { name = '' } = request.body as AliasBody;
  checkAliasName(name);
  const owner = await database.write(async tx => {
    const imageProject = await imageProjectOf(tx, request.project);
    const alias = await getAlias(tx, imageProject, request.params['name'] ?? '');
    await saveAlias(tx, alias.id, { ...alias, name });
    return imageProject;
  });
  tell(events, 'renamed', name, owner, request.caller.requestor);
  return created(aliasPath(name));
}

async function update({ database, events }: Services, request: ApiRequest): Promise<Reply> {
  const change = request.body as AliasBody;
  const name = request.params['name'] ?? '';
  const owner = await database.write(async tx => {
    const imageProject = await imageProjectOf(tx, request.project);
    const alias = await getAlias(tx, imageProject, name);
    assertEtag(request.headers['if-match'], aliasToApi(alias));
    const image = await imageByFingerprint(tx, imageProject, change.target ?? alias.target);
    const otherwise = request.method === 'PATCH' ? alias.description : '';
    await saveAlias(tx, alias.id, { name, description: change.description ?? otherwise, imageId: image.id });
    return imageProject;
  });
  tell(events, 'updated', name, owner, request.caller.requestor);
  return sync();
}

async function remove({ database, events }: Services, request: ApiRequest): Promise<Reply> {
  const name = request.params['name'] ?? '';
  const owner = await database.write(async tx => {
    const imageProject = await imageProjectOf(tx, request.project);
    await deleteAliasRow(tx, (await getAlias(tx, imageProject, name)).id);
    return imageProject;
  });
  tell(events, 'deleted', name, owner, request.caller.requestor);
  return sync();
}

function aliasPath(name: string): string {
  return `/1.0/images/aliases/${encodeURIComponent(name)}`;
}

function tell(events: Services['events'], action: string, name: string, project: string, requestor: Requestor): void {
  emitLifecycle(events, `image-alias-${action}`, aliasPath(name), { project, requestor });
}
