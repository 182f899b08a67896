import path from 'node:path';
import type { DeviceMap } from '#api/common.ts';
import { parseBoolean } from '#base/config-schema.ts';
import type { ContainerMount } from '../runtime/runtime.ts';
import { releaseVolume, takeVolume, type VolumeUse } from '../volumes/use-volume.ts';
import type { DeviceContext, DeviceFacts, DeviceProblem } from './device.ts';

/** Why a disk device that names a pool's custom volume is refused. */
export function volumeProblem(options: DeviceMap, facts: DeviceFacts): DeviceProblem | undefined {
  const { pool = '', source = '' } = options;
  if (!options['path']) return { reason: 'cannot be added: Custom filesystem volumes require a path to be defined' };
  if (!facts.pools.has(pool)) return { key: 'pool', reason: `names the storage pool "${pool}", which does not exist` };
  if (source === '') return { key: 'source', reason: 'is required: the name of a volume of the pool' };
  if (source.startsWith('/')) return { key: 'source', reason: 'Storage volumes cannot be specified as absolute paths' };
  if (source.includes('/')) return { key: 'source', reason: 'must be the name of a custom volume' };
  if (options['shift']) return { key: 'shift', reason: 'is set as "security.shifted" on the volume instead' };
  if (options['size']) return { key: 'size', reason: 'is for the root disk only: set "size" on the volume' };
  // A profile may name a volume that instances in it will find later.
  if (facts.volumes && !facts.volumes.has(`${pool}/${source}`))
    return { key: 'source', reason: `names the storage volume "${source}" of pool "${pool}", which does not exist` };
  return undefined;
}

export async function startVolume(context: DeviceContext): Promise<ContainerMount> {
  const { folder, idmapped } = await takeVolume(context.services, useOf(context));
  const { options } = context;
  return {
    source: folder,
    target: path.posix.normalize(options['path'] ?? ''),
    kind: 'directory',
    readOnly: parseBoolean(options['readonly'] ?? 'false') ?? false,
    idmapped,
  };
}

export async function stopVolume(context: DeviceContext): Promise<void> {
  await releaseVolume(context.services, useOf(context));
}

function useOf({ project, hostName, name, options }: DeviceContext): VolumeUse {
  return { project, instance: hostName, device: name, pool: options['pool'] ?? '', volume: options['source'] ?? '' };
}
