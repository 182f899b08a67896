import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { defineKeys, effectiveBoolean } from '#base/config-schema.ts';
import {
  type DeviceContext,
  type DeviceFacts,
  type DeviceProblem,
  type DeviceType,
  nothing,
  type RuntimePart,
} from './device.ts';
import { startVolume, stopVolume, volumeProblem } from './disk-volume.ts';

const keys = defineKeys({
  path: { type: 'string', summary: 'Where it is mounted in the instance; "/" is the root disk', check: pathProblem },
  pool: { type: 'string', summary: 'Storage pool of the root disk or of the volume' },
  source: { type: 'string', summary: 'File or folder of the host, or a custom volume of the pool' },
  size: { type: 'size', summary: 'Most bytes of the root disk' },
  readonly: { type: 'boolean', default: 'false', summary: 'Mount without the right to write' },
  recursive: { type: 'boolean', default: 'false', summary: 'Bring what is mounted below the source too' },
  required: { type: 'boolean', default: 'true', summary: 'Refuse to start when the source is missing' },
  optional: { type: 'boolean', default: 'false', summary: 'Old word for the opposite of "required"' },
  shift: { type: 'boolean', default: 'false', summary: 'Show ids of the source as ids of the instance' },
  'boot.priority': { type: 'integer', summary: 'Order of boot disks; without effect on containers' },
});

/** The root disk of an instance, a custom volume of a pool, or a file or folder of the host. */
export const disk: DeviceType = {
  type: 'disk',
  keys,
  problem(options: DeviceMap, facts: DeviceFacts): DeviceProblem | undefined {
    const target = options['path'] ?? '';
    const isVolume = options['pool'] && options['source'];
    if (isVolume && path.posix.normalize(target) !== '/') return volumeProblem(options, facts);
    if (target === '') return { key: 'path', reason: 'is required' };
    return path.posix.normalize(target) === '/' ? rootProblem(options, facts) : hostProblem(options);
  },
  async start(context: DeviceContext): Promise<RuntimePart> {
    const { name, options } = context;
    if (options['path'] === '/') return nothing;
    if (options['pool']) return { nics: [], mounts: [await startVolume(context)] };
    const source = options['source'] ?? '';
    const required = effectiveBoolean(keys, options, 'required') && !effectiveBoolean(keys, options, 'optional');
    const entry = await stat(source).catch(() => undefined);
    if (!entry) {
      if (!required) return nothing;
      throw new ApiError('failed-precondition', `Device "${name}" cannot start: its source "${source}" does not exist`);
    }
    if (!entry.isDirectory() && !entry.isFile())
      throw new ApiError('failed-precondition', `Device "${name}" cannot start: "${source}" is no file or folder`);
    return {
      nics: [],
      mounts: [
        {
          source,
          target: path.posix.normalize(options['path'] ?? ''),
          kind: entry.isDirectory() ? 'directory' : 'file',
          readOnly: effectiveBoolean(keys, options, 'readonly'),
          recursive: effectiveBoolean(keys, options, 'recursive'),
          idmapped: effectiveBoolean(keys, options, 'shift'),
          optional: !required,
        },
      ],
    };
  },
  async stop(context: DeviceContext): Promise<void> {
    if (context.options['path'] !== '/' && context.options['pool']) await stopVolume(context);
  },
};

function rootProblem(options: DeviceMap, facts: DeviceFacts): DeviceProblem | undefined {
  const pool = options['pool'] ?? '';
  if (options['path'] !== '/') return { key: 'path', reason: 'of the root disk must be "/"' };
  if (pool === '') return { key: 'pool', reason: 'is required for the root disk' };
  if (!facts.pools.has(pool)) return { key: 'pool', reason: `names the storage pool "${pool}", which does not exist` };
  for (const key of ['source', 'recursive', 'shift', 'optional', 'readonly']) {
    if (options[key]) return { key, reason: 'is not for the root disk' };
  }
  return undefined;
}

function hostProblem(options: DeviceMap): DeviceProblem | undefined {
  if (options['pool']) return { key: 'source', reason: 'is required: the name of a volume of the pool' };
  if (options['size']) return { key: 'size', reason: 'is for the root disk only' };
  if (!options['source']) return { key: 'source', reason: 'is required' };
  const problem = pathProblem(options['source']);
  if (problem !== undefined) return { key: 'source', reason: problem };
  if (options['required'] && options['optional']) return { key: 'optional', reason: 'cannot be set with "required"' };
  return undefined;
}

function pathProblem(value: string): string | undefined {
  if (!value.startsWith('/')) return 'must be an absolute path';
  if (value.split('/').includes('..')) return 'must not hold ".."';
  return value.length < 4096 ? undefined : 'is too long';
}
