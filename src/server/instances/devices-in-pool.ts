import type { DevicesMap } from '#api/common.ts';
import type { Reader } from '#server/database/database.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import { expandInstance } from './check-instance.ts';
import { rootDevice } from '../profiles/expand-config.ts';

/** Own devices with the root disk in a pool: its own, or one that stands in for that of a profile. */
export async function devicesInPool(
  reader: Reader,
  owner: Pick<InstanceRecord, 'project' | 'config' | 'devices' | 'profiles'>,
  pool: string,
): Promise<DevicesMap> {
  const { devices } = await expandInstance(reader, owner);
  const root = rootDevice(devices);
  if (root?.[1]['pool'] === pool) return owner.devices;
  const [name, options] = root ?? ['root', { type: 'disk', path: '/' }];
  return { ...owner.devices, [name]: { ...options, pool } };
}
