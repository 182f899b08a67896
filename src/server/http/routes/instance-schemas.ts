import type { JsonSchema } from '../route.ts';

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const texts = { type: 'array', items: text } as const;
const map = { type: 'object', additionalProperties: text } as const;

/** Members of a config: a null value is an empty one, as clients in other languages send it. */
export const configSchema: JsonSchema = map;
export const devicesSchema: JsonSchema = { type: 'object', additionalProperties: map };

const writable = {
  architecture: text,
  config: configSchema,
  devices: devicesSchema,
  ephemeral: flag,
  profiles: texts,
  stateful: flag,
  description: text,
} as const;

export const instancePut: JsonSchema = { type: 'object', properties: { ...writable, restore: text } };

const state = {
  type: 'object',
  required: ['action'],
  properties: {
    action: { type: 'string', enum: ['start', 'stop', 'restart', 'freeze', 'unfreeze'] },
    timeout: { type: 'integer', minimum: -1, maximum: 2_147_483 },
    force: flag,
    stateful: flag,
  },
} as const;

export const instanceStatePut: JsonSchema = state;
export const instancesPut: JsonSchema = { type: 'object', required: ['state'], properties: { state } };

export const instancesPost: JsonSchema = {
  type: 'object',
  required: ['source'],
  properties: {
    ...writable,
    name: text,
    type: { type: 'string', enum: ['', 'container', 'virtual-machine'] },
    instance_type: text,
    start: flag,
    source: {
      type: 'object',
      required: ['type'],
      properties: {
        type: { type: 'string', enum: ['image', 'copy', 'none', 'migration'] },
        alias: text,
        fingerprint: text,
        properties: map,
        server: text,
        secret: text,
        protocol: text,
        certificate: text,
        mode: text,
        operation: text,
        secrets: map,
        source: text,
        project: text,
        live: flag,
        instance_only: flag,
        container_only: flag,
        refresh: flag,
        allow_inconsistent: flag,
        hand_over: flag,
      },
    },
  },
};

export const instancePost: JsonSchema = {
  type: 'object',
  properties: {
    name: text,
    migration: flag,
    live: flag,
    pool: text,
    project: text,
    instance_only: flag,
    container_only: flag,
    allow_inconsistent: flag,
    hand_over: { type: 'object', properties: { timeout: { type: 'integer', minimum: 0 } } },
    target: { type: 'object', properties: { certificate: text, operation: text, secrets: map } },
  },
};

export const snapshotsPost: JsonSchema = {
  type: 'object',
  properties: { name: text, stateful: flag, expires_at: text },
};
export const fileRestorePost: JsonSchema = {
  type: 'object',
  required: ['path'],
  properties: { path: text, target: text, force: flag, create_dirs: flag },
};
export const snapshotPut: JsonSchema = { type: 'object', properties: { expires_at: text } };

export const profilesPost: JsonSchema = {
  type: 'object',
  required: ['name'],
  properties: { name: text, description: text, config: configSchema, devices: devicesSchema },
};
export const profilePut: JsonSchema = {
  type: 'object',
  properties: { description: text, config: configSchema, devices: devicesSchema },
};
export const renamePost: JsonSchema = { type: 'object', required: ['name'], properties: { name: text } };
