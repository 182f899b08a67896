import type { ImageMetadataPut } from '#api/image-metadata.ts';
import { invalid } from '#api/error.ts';
import {
  changeMetadata,
  deleteTemplate,
  getMetadata,
  listTemplates,
  type MetadataOf,
  readTemplate,
  writeTemplate,
} from '../../instances/instance-metadata.ts';
import type { Services } from '../../services.ts';
import { type ApiRequest, type JsonSchema, type Reply, type Route, sync } from '../route.ts';
import { assertEtag } from '../../etag.ts';

const url = '/1.0/instances/:name/metadata';
const maxTemplateBytes = 2 ** 20;

const texts = { type: 'object', additionalProperties: { type: 'string' } };
const schema: JsonSchema = {
  type: 'object',
  properties: {
    architecture: { type: 'string' },
    creation_date: { type: 'integer' },
    expiry_date: { type: 'integer' },
    properties: texts,
    templates: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        properties: {
          when: { type: 'array', items: { type: 'string' } },
          create_only: { type: 'boolean' },
          template: { type: 'string' },
          properties: { ...texts, type: ['object', 'null'] },
        },
        required: ['template'],
      },
    },
  },
};

export const instanceMetadataRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: url,
    access: 'project',
    handle: async (services, request) => {
      const metadata = await getMetadata(services, ownerOf(request));
      return sync(metadata, metadata);
    },
  },
  { method: 'PUT', path: url, access: 'project', body: schema, handle: change },
  { method: 'PATCH', path: url, access: 'project', body: schema, handle: change },
  {
    method: 'GET',
    path: `${url}/templates`,
    access: 'project',
    handle: async (services, request) => {
      const name = request.query['path'];
      if (!name) return sync(await listTemplates(services, ownerOf(request)));
      const body = await readTemplate(services, ownerOf(request), name);
      return { kind: 'raw', headers: { 'content-type': 'application/octet-stream' }, body };
    },
  },
  {
    method: 'POST',
    path: `${url}/templates`,
    access: 'project',
    body: 'stream',
    handle: async (services, request) => {
      const name = request.query['path'] ?? '';
      await writeTemplate(services, ownerOf(request), name, await contentOf(request));
      return sync();
    },
  },
  {
    method: 'DELETE',
    path: `${url}/templates`,
    access: 'project',
    handle: async (services, request) => {
      await deleteTemplate(services, ownerOf(request), request.query['path'] ?? '');
      return sync();
    },
  },
];

async function change(services: Services, request: ApiRequest): Promise<Reply> {
  await changeMetadata(services, ownerOf(request), {
    put: request.body as ImageMetadataPut,
    merge: request.method === 'PATCH',
    check: writable => assertEtag(request.headers['if-match'], writable),
  });
  return sync();
}

function ownerOf({ params, project, caller }: ApiRequest): MetadataOf {
  return { project, name: params['name'] ?? '', requestor: caller.requestor };
}

async function contentOf({ stream }: ApiRequest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxTemplateBytes) throw invalid('body', 'is larger than 1 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
