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
  throw new ApiError('invalid-argument', `Unknown storage driver "${name}"`);
}

/** Like driverType, for a name that a user gave: the error tells what there is. */
export async function chosenDriver(name: string): Promise<DriverType> {
  if (driverTypes.some(type => type.name === name)) return driverType(name);
  const usable = (await usableDrivers()).map(driver => driver.name).join(', ');
  throw new ApiError('invalid-argument', `Unknown storage driver "${name}": this host can use ${usable}`);
}

/** Drivers that this host can use. */
export async function usableDrivers(): Promise<readonly { readonly name: string; readonly version: string }[]> {
  const found = await Promise.all(driverTypes.map(async type => ({ name: type.name, version: await type.version() })));
  return found.flatMap(({ name, version }) => (version === undefined ? [] : [{ name, version }]));
}
