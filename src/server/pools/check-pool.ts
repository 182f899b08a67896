import type { ConfigMap } from '#api/common.ts';
import { ApiError, invalid } from '#api/error.ts';
import { type KeyTable, ruleOf, valueProblem } from '#base/config-schema.ts';
import { objectNameProblem } from '#base/names.ts';
import { poolKeys } from '#storage/config-keys.ts';
import type { DriverType } from '#storage/driver.ts';

export function keysOf(type: DriverType): KeyTable {
  return { ...poolKeys, ...type.poolKeys };
}

export function checkPoolName(name: string): void {
  // The name becomes a folder, the name of a loop file and the label of a file system.
  const problem = objectNameProblem(name) ?? (name.startsWith('.') ? 'must not start with a dot' : undefined);
  if (problem !== undefined) throw invalid('name', problem);
}

/** Throws "invalid-argument" for unknown keys, bad values, and keys of the daemon's own that differ from `current`. */
export function checkPoolConfig(type: DriverType, config: ConfigMap, current: ConfigMap = {}): void {
  const keys = keysOf(type);
  for (const [key, value] of Object.entries(config)) {
    const unchanged = Object.hasOwn(current, key) && current[key] === value;
    if (unchanged) continue;
    const problem = valueProblem(keys, key, value);
    if (problem !== undefined) throw invalid(`config.${key}`, `${problem} (driver "${type.name}")`);
    if (ruleOf(keys, key)?.internal && value !== '') throw invalid(`config.${key}`, 'is kept by the server');
  }
}

/** Throws "failed-precondition" that says what to install when this host cannot use the driver. */
export async function checkDriverUsable(type: DriverType): Promise<void> {
  if ((await type.version()) !== undefined) return;
  const advice = type.hostAdvice === '' ? '' : `: ${type.hostAdvice} first`;
  throw new ApiError('failed-precondition', `Cannot use storage driver "${type.name}" on this host${advice}`);
}

/** Without the keys that say "not set". */
export function withoutEmpty(config: ConfigMap): ConfigMap {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== ''));
}
