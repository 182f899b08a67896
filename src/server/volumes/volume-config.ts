import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { effectiveBoolean, ruleOf, valueProblem } from '#base/config-schema.ts';
import { volumeKeys } from '#storage/config-keys.ts';
import { limitSize } from '../pools/limit-size.ts';
import type { VolumeServices } from './volume.ts';
import { type CustomAt, onDisk } from './volume.ts';

/**
 * The config to store: what was asked, the daemon's own keys as they are. Throws "invalid-argument" for unknown keys, bad
 * values, and keys of the daemon's own that differ from `current`.
 */
export function checkedConfig(name: string, asked: ConfigMap, current: ConfigMap = {}): ConfigMap {
  const config: Record<string, string> = {};
  for (const [key, value] of Object.entries(asked)) {
    if (value === '') continue;
    const problem = valueProblem(volumeKeys, key, value);
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

/** Applies `size`; none lifts the limit. */
export async function limitVolume(
  services: Pick<VolumeServices, 'pools' | 'database'>,
  at: CustomAt,
  size: string | undefined,
): Promise<void> {
  await limitSize(services, at.pool, onDisk(at), size);
}
