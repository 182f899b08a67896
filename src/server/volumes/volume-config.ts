import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { effectiveBoolean, type KeyTable, ruleOf, valueProblem } from '#base/config-schema.ts';
import { volumeKeys } from '#storage/config-keys.ts';
import { hasVolumeSettings } from '#storage/driver.ts';
import { driverType, driverTypes } from '#storage/drivers.ts';
import { limitSize } from '../pools/limit-size.ts';
import type { VolumeServices } from './volume.ts';
import { type CustomAt, onDisk } from './volume.ts';

const anyKeys: KeyTable = Object.assign({}, volumeKeys, ...driverTypes.map(type => type.volumeKeys)) as KeyTable;

/** Keys of custom volumes in a pool of this driver. */
function keysOf(driver: string): KeyTable {
  return { ...volumeKeys, ...driverType(driver).volumeKeys };
}

/** Config from a volume elsewhere without the keys that only another driver than this has. */
export function portableConfig(config: ConfigMap, driver: string): ConfigMap {
  const isForeign = (key: string): boolean =>
    ruleOf(keysOf(driver), key) === undefined && driverTypes.some(type => ruleOf(type.volumeKeys, key) !== undefined);
  return Object.fromEntries(Object.entries(config).filter(([key]) => !isForeign(key)));
}

/**
 * The config to store: what was asked, the daemon's own keys as they are. Throws "invalid-argument" for unknown keys, bad
 * values, and keys of the daemon's own that differ from `current`. What is not in use may have the keys of any driver.
 */
export function checkedConfig(name: string, asked: ConfigMap, current: ConfigMap = {}, driver?: string): ConfigMap {
  const keys = driver === undefined ? anyKeys : keysOf(driver);
  const config: Record<string, string> = {};
  for (const [key, value] of Object.entries(asked)) {
    if (value === '') continue;
    const problem = valueProblem(keys, key, value);
    if (problem !== undefined)
      throw new ApiError('invalid-argument', `Volume "${name}": config key "${key.slice(0, 100)}" ${problem}`);
    if (!ruleOf(volumeKeys, key)?.internal) config[key] = value;
  }
  for (const [key, value] of Object.entries(current)) if (ruleOf(volumeKeys, key)?.internal) config[key] = value;
  if (isShifted(config) && isUnmapped(config))
    throw new ApiError('invalid-argument', 'security.unmapped and security.shifted are mutually exclusive');
  return config;
}

/** Adds the pool's defaults of new volumes: its keys `volume.*`. */
export function withPoolDefaults(config: ConfigMap, pool: ConfigMap): ConfigMap {
  const defaults = Object.entries(pool).flatMap(([key, value]) =>
    key.startsWith('volume.') ? [[key.slice('volume.'.length), value] as const] : [],
  );
  return { ...Object.fromEntries(defaults), ...config };
}

export function isShifted(config: ConfigMap): boolean {
  return effectiveBoolean(volumeKeys, config, 'security.shifted');
}

export function isUnmapped(config: ConfigMap): boolean {
  return effectiveBoolean(volumeKeys, config, 'security.unmapped');
}

/** Applies the driver's own keys, then `size`: how the driver limits may depend on them. */
export async function configureVolume(
  services: Pick<VolumeServices, 'pools' | 'database'>,
  at: CustomAt,
  config: ConfigMap,
): Promise<void> {
  const { driver } = services.pools.get(at.pool);
  if (hasVolumeSettings(driver)) await driver.configureVolume(onDisk(at), config);
  if (config['size']) await limitVolume(services, at, config['size']);
}

/** Whether a change of config is one that the driver has to know of. */
export function changesSettings(driver: string, before: ConfigMap, after: ConfigMap): boolean {
  return Object.keys(driverType(driver).volumeKeys).some(key => (before[key] ?? '') !== (after[key] ?? ''));
}

/** Applies `size`; none lifts the limit. */
export async function limitVolume(
  services: Pick<VolumeServices, 'pools' | 'database'>,
  at: CustomAt,
  size: string | undefined,
): Promise<void> {
  await limitSize(services, at.pool, onDisk(at), size);
}
