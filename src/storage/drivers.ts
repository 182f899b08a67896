import { ApiError } from '#api/error.ts';
import { btrfs } from './btrfs/driver.ts';
import { dir } from './dir/driver.ts';
import type { DriverType } from './driver.ts';
import { zfs } from './zfs/driver.ts';

/** The only list of drivers. */
export const driverTypes: readonly DriverType[] = [btrfs, dir, zfs];

/** Throws "invalid-argument" for a name that is no driver's. */
export function driverType(name: string): DriverType {
  const type = driverTypes.find(type => type.name === name);
  if (type) return type;
  const known = driverTypes.map(type => type.name).join(', ');
  throw new ApiError('invalid-argument', `Unknown storage driver "${name}": this server has ${known}`);
}
