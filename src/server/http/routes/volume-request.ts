import { ApiError } from '#api/error.ts';
import { volumeProject } from '#server/database/volume-users.ts';
import type { OperationRequest } from '#server/operations/operation.ts';
import type { Services } from '#server/services.ts';
import { type AnyType, type NamedVolume, volumeTypes } from '#server/volumes/list-volumes.ts';
import { type CustomAt, volumePath } from '#server/volumes/volume.ts';
import type { ApiRequest, JsonSchema } from '../route.ts';

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const config = { type: 'object', additionalProperties: text } as const;

const peerMembers = { certificate: text, operation: text, secrets: config } as const;
const peer = { type: 'object', properties: peerMembers } as const;

export const volumePut: JsonSchema = { type: 'object', properties: { description: text, config, restore: text } };
export const volumePost: JsonSchema = {
  type: 'object',
  required: ['name'],
  properties: { name: text, pool: text, project: text, migration: flag, volume_only: flag, target: peer },
};
export const volumesPost: JsonSchema = {
  type: 'object',
  required: ['name'],
  properties: {
    name: text,
    type: text,
    content_type: text,
    description: text,
    config,
    source: {
      type: 'object',
      properties: {
        ...peerMembers,
        type: text,
        mode: text,
        name: text,
        pool: text,
        project: text,
        volume_only: flag,
        refresh: flag,
      },
    },
  },
};
export const volumeSnapshotsPost: JsonSchema = { type: 'object', properties: { name: text, expires_at: text } };
export const volumeSnapshotPut: JsonSchema = { type: 'object', properties: { description: text, expires_at: text } };

/** The type in the path; throws "invalid-argument" for one that does not exist. */
export function typeOf({ params }: Pick<ApiRequest, 'params'>): AnyType {
  const type = volumeTypes.find(type => type === params['type']);
  if (!type) throw new ApiError('invalid-argument', `Invalid storage volume type name "${params['type'] ?? ''}"`);
  return type;
}

export function namedVolume(request: ApiRequest): NamedVolume {
  const { pool = '', volume: name = '' } = request.params;
  return { pool, project: request.project, type: typeOf(request), name };
}

/** A custom volume as the project of the request sees it: projects without own volumes use those of "default". */
export async function customAt(
  services: Pick<Services, 'database'>,
  { project }: Pick<ApiRequest, 'project'>,
  { pool, name }: Pick<CustomAt, 'pool' | 'name'>,
): Promise<CustomAt> {
  return { pool, name, project: await services.database.read(reader => volumeProject(reader, project)) };
}

/** Another project that the body names; throws "not-found" for one that the caller may not use. */
export function callersProject({ caller, project }: ApiRequest, named: string | undefined): string {
  if (!named || named === project) return project;
  if (caller.projects && !caller.projects.includes(named))
    throw new ApiError('not-found', `Project "${named}" not found`);
  return named;
}

/** An operation about a custom volume. */
export function volumeOperation(
  request: ApiRequest,
  description: string,
  pool: string,
  name: string,
): OperationRequest {
  return {
    description,
    project: request.project,
    requestor: request.caller.requestor,
    resources: { storage_volumes: [volumePath(pool, name)] },
    mayCancel: true,
  };
}
