import path from 'node:path';
import type { ConfigMap, DeviceMap, DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { valueProblem } from '#base/config-schema.ts';
import { objectNameProblem } from '#base/names.ts';
import type { DeviceFacts, DeviceType } from './device.ts';
import { infiniband, tpm } from './absent-hardware.ts';
import { disk } from './disk.ts';
import { gpu } from './gpu.ts';
import { nicOf } from './nic.ts';
import { gatewayProblem } from './nic-routed.ts';
import { none } from './none.ts';
import { proxy, translationProblem } from './proxy.ts';
import { unixBlock, unixChar } from './unix-device.ts';
import { unixHotplug, usb } from './usb.ts';

const all = [disk, gpu, infiniband, none, proxy, tpm, unixBlock, unixChar, unixHotplug, usb];
const types: ReadonlyMap<string, DeviceType> = new Map(all.map(type => [type.type, type]));

/** The type of a device; throws "invalid-argument" when there is none of that name. */
export function deviceType(name: string, options: DeviceMap): DeviceType {
  const type = options['type'] === 'nic' ? nicOf(options) : types.get(options['type'] ?? '');
  if (type) return type;
  const known = [...types.keys(), 'nic'].sort().join(', ');
  throw new ApiError('invalid-argument', `Device "${name}": type "${options['type'] ?? ''}" is not one of ${known}`);
}

/** Throws "invalid-argument" for devices that are not valid by themselves, naming device and key. */
export function checkDevices(devices: DevicesMap): void {
  for (const [name, options] of Object.entries(devices)) {
    const nameProblem = objectNameProblem(name);
    if (nameProblem !== undefined) throw new ApiError('invalid-argument', `Device name "${name}" ${nameProblem}`);
    const { keys } = deviceType(name, options);
    for (const [key, value] of Object.entries(options)) {
      if (key === 'type') continue;
      const problem = valueProblem(keys, key, value);
      if (problem !== undefined) throw new ApiError('invalid-argument', `Device "${name}": key "${key}" ${problem}`);
    }
  }
}

/** Throws "invalid-argument" for expanded devices that cannot work together with what the database knows. */
export function checkExpandedDevices(devices: DevicesMap, facts: DeviceFacts): void {
  checkDevices(devices);
  const places = new Map<string, string>();
  for (const [name, options] of Object.entries(devices)) {
    const problem = deviceType(name, options).problem(options, facts);
    if (problem) {
      const what = problem.key === undefined ? '' : ` key "${problem.key}"`;
      throw new ApiError('invalid-argument', `Device "${name}":${what} ${problem.reason}`);
    }
    const place = placeOf(options);
    const other = place === undefined ? undefined : places.get(place);
    if (other !== undefined)
      throw new ApiError('invalid-argument', `Device "${name}" takes the same place as device "${other}": ${place}`);
    if (place !== undefined) places.set(place, name);
  }
  const clash = gatewayProblem(devices);
  if (clash) throw new ApiError('invalid-argument', `Device "${clash.device}": ${clash.message}`);
  const problem = translationProblem(devices);
  if (problem)
    throw new ApiError('invalid-argument', `Device "${problem.device}": key "${problem.key ?? ''}" ${problem.reason}`);
}

/** Throws "invalid-argument" when one of these devices, new to an instance, names what this host lacks. */
export function checkAddedDevices(devices: DevicesMap): void {
  for (const [name, options] of Object.entries(devices)) {
    const problem = deviceType(name, options).missing?.(options);
    if (problem)
      throw new ApiError('invalid-argument', `Device "${name}": key "${problem.key ?? ''}" ${problem.reason}`);
  }
}

function placeOf(options: DeviceMap): string | undefined {
  if (options['type'] === 'disk') return `path ${path.posix.normalize(`/${options['path'] ?? ''}`)}`;
  if (options['type'] === 'nic' && options['name']) return `link ${options['name']}`;
  return undefined;
}

/** Values of volatile.DEVICE.* without the prefix. */
export function volatileOf(config: ConfigMap, device: string): ConfigMap {
  const prefix = `volatile.${device}.`;
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [],
    ),
  );
}

/** The volatile keys that devices lack while they exist. */
export function missingVolatile(devices: DevicesMap, config: ConfigMap): ConfigMap {
  const missing: Record<string, string> = {};
  for (const [name, options] of Object.entries(devices)) {
    const values = deviceType(name, options).keep?.(options, volatileOf(config, name)) ?? {};
    for (const [key, value] of Object.entries(values)) missing[`volatile.${name}.${key}`] = value;
  }
  return missing;
}

/** The volatile keys of one run of the devices `names`, all of them unless given. */
export function runVolatile(
  devices: DevicesMap,
  config: ConfigMap,
  networks: DeviceFacts['networks'],
  names: readonly string[] = Object.keys(devices),
): ConfigMap {
  const taken = new Set<string>();
  for (const [name, options] of Object.entries(devices)) {
    const link = options['name'] ?? config[`volatile.${name}.name`];
    if (options['type'] === 'nic' && link) taken.add(link);
  }
  const run: Record<string, string> = {};
  for (const name of names) {
    const options = devices[name];
    if (!options) continue;
    const values = deviceType(name, options).perRun?.(options, volatileOf(config, name), taken, networks) ?? {};
    for (const [key, value] of Object.entries(values)) run[`volatile.${name}.${key}`] = value;
    if (values['name']) taken.add(values['name']);
  }
  return run;
}
