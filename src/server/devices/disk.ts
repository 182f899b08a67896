import { existsSync } from 'node:fs';
import path from 'node:path';
import type { DeviceMap } from '#api/common.ts';
import { defineKeys } from '#base/config-schema.ts';
import {
  type DeviceContext,
  type DeviceFacts,
  type DeviceProblem,
  type DeviceType,
  nothing,
  type RuntimePart,
} from './device.ts';
import { propagations } from '../runtime/runtime.ts';
import { hostDiskProblem, isRequired, startHostDisk, stopHostDisk, targetOf } from './disk-host.ts';
import { rateProblem } from './disk-rate.ts';
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
  propagation: {
    type: 'enum',
    values: propagations,
    default: 'private',
    summary: 'Whether mounts below it on the host and in the instance reach the other',
  },
  'raw.mount.options': { type: 'string', summary: 'Options of mount(8), such as "noexec"', check: optionsProblem },
  'limits.read': { type: 'string', summary: 'Most that is read: "10MB" per second or "30iops"', check: rateProblem },
  'limits.write': { type: 'string', summary: 'Most that is written', check: rateProblem },
  'limits.max': { type: 'string', summary: 'Most of both', check: rateProblem },
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
    return path.posix.normalize(target) === '/' ? rootProblem(options, facts) : hostOrVolumeProblem(options);
  },
  async start(context: DeviceContext): Promise<RuntimePart> {
    const { options } = context;
    if (options['path'] === '/') return nothing;
    if (options['pool']) return { nics: [], mounts: [await startVolume(context)] };
    const mount = await startHostDisk(context);
    return mount ? { nics: [], mounts: [mount] } : nothing;
  },
  async stop(context: DeviceContext): Promise<void> {
    if (context.options['path'] === '/') return;
    if (context.options['pool']) await stopVolume(context);
    else await stopHostDisk(context);
  },
  mounted: ({ options }) => Promise.resolve(options['path'] ? [{ target: targetOf(options) }] : []),
  missing(options: DeviceMap): DeviceProblem | undefined {
    const source = options['source'] ?? '';
    if (options['path'] === '/' || options['pool'] || !isRequired(options) || existsSync(source)) return undefined;
    return { key: 'source', reason: `names "${source}", which does not exist: create it or set "required=false"` };
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

function hostOrVolumeProblem(options: DeviceMap): DeviceProblem | undefined {
  if (options['pool']) return { key: 'source', reason: 'is required: the name of a volume of the pool' };
  return hostDiskProblem(options);
}

function optionsProblem(value: string): string | undefined {
  return /^[A-Za-z0-9=_.:/,+-]+$/.test(value) ? undefined : 'must be words of mount(8) separated by commas';
}

function pathProblem(value: string): string | undefined {
  if (value.split('/').includes('..')) return 'must not hold ".."';
  return value.length < 4096 ? undefined : 'is too long';
}
