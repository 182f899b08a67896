import type { ConfigMap, DeviceMap, DevicesMap } from '#api/common.ts';
import { changedKeys, ruleOf } from '#base/config-schema.ts';
import type { Revert } from '#base/revert.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import { getProjectRecord } from '#server/database/projects.ts';
import type { DeviceContext, MountedPart, RuntimePart } from '../devices/device.ts';
import { deviceType, volatileOf } from '../devices/devices.ts';
import { publishedName } from '../networks/reservations.ts';
import { containerId } from '../paths.ts';
import { diskFolders } from '../projects/restrictions.ts';
import { keptIdmap } from './idmap.ts';
import type { InstanceServices } from './instance-services.ts';

type Uses = Pick<InstanceServices, 'database' | 'networks' | 'pools' | 'runtime' | 'paths' | 'log'>;
type Owner = Pick<InstanceRecord, 'project' | 'name'>;

/** Starts devices in order of their names; what they add goes into the container's spec. */
export async function startDevices(
  services: Uses,
  owner: Owner,
  devices: DevicesMap,
  config: ConfigMap,
  revert: Revert,
): Promise<readonly RuntimePart[]> {
  const parts: RuntimePart[] = [];
  for (const [name, options] of Object.entries(devices).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const context = contextOf(services, owner, name, options, config);
    const type = deviceType(name, options);
    revert.add(`starting device "${name}"`, () => type.stop(context));
    parts.push(await type.start(context));
  }
  return parts;
}

/** Stops devices; one that fails is logged and does not hold up the others. */
export async function stopDevices(services: Uses, owner: Owner, devices: DevicesMap, config: ConfigMap): Promise<void> {
  for (const [name, options] of Object.entries(devices)) {
    try {
      await deviceType(name, options).stop(contextOf(services, owner, name, options, config));
    } catch (error) {
      services.log.error('Failed stopping a device', { instance: owner.name, device: name, error });
    }
  }
}

/** How devices differ between two sets of expanded devices. */
export interface DeviceChange {
  readonly gone: DevicesMap;
  readonly added: DevicesMap;
  /** those that can take over their new options in use, with the options before */
  readonly updated: DevicesMap;
  readonly outdated: DevicesMap;
}

export function changedDevices(before: DevicesMap, after: DevicesMap): DeviceChange {
  const differs = (name: string): boolean => sorted(before[name]) !== sorted(after[name]);
  const isLive = (name: string): boolean => takesOver(name, before[name], after[name]);
  const pick = (devices: DevicesMap, live: boolean): DevicesMap =>
    Object.fromEntries(
      Object.entries(devices).filter(
        ([name, options]) => differs(name) && options['path'] !== '/' && isLive(name) === live,
      ),
    );
  return {
    gone: pick(before, false),
    added: pick(after, false),
    updated: pick(after, true),
    outdated: pick(before, true),
  };
}

function takesOver(name: string, before: DeviceMap | undefined, after: DeviceMap | undefined): boolean {
  if (!before || !after || before['type'] !== after['type']) return false;
  const type = deviceType(name, after);
  return 'update' in type && changedKeys(before, after).every(key => ruleOf(type.keys, key)?.live === true);
}

/** Has devices in use take over new options, with undo. */
export async function updateDevices(
  services: Uses,
  owner: Owner,
  { updated, outdated }: Pick<DeviceChange, 'updated' | 'outdated'>,
  config: ConfigMap,
  revert: Revert,
): Promise<void> {
  for (const [name, options] of Object.entries(updated)) {
    const before = outdated[name] ?? {};
    const type = deviceType(name, options);
    const context = (of: DeviceMap): DeviceContext => contextOf(services, owner, name, of, config);
    revert.add(`changing device "${name}"`, async () => type.update?.(context(before), options));
    await type.update?.(context(options), before);
  }
}

/** Tells devices that the container runs. */
export async function noteStarted(services: Uses, owner: Owner, devices: DevicesMap, config: ConfigMap): Promise<void> {
  for (const [name, options] of Object.entries(devices)) {
    await deviceType(name, options).started?.(contextOf(services, owner, name, options, config));
  }
}

/** Plugs devices into a running container, with undo. */
export async function attachDevices(
  services: Uses,
  owner: Owner,
  devices: DevicesMap,
  config: ConfigMap,
  revert: Revert,
): Promise<void> {
  const id = containerId(owner.project, owner.name);
  const parts = await startDevices(services, owner, devices, config, revert);
  for (const part of parts) {
    for (const nic of part.nics) {
      await services.runtime.attachNic(id, nic);
      revert.add(`attaching link "${nic.name}"`, () => services.runtime.detachNic(id, nic));
    }
  }
  // What lies below another mount comes after it.
  for (const mount of byPlace(parts.flatMap(part => part.mounts))) {
    await services.runtime.attachMount(id, mount);
    revert.add(`mounting "${mount.target}"`, () => services.runtime.detachMount(id, mount.target, mount.device));
  }
  await noteStarted(services, owner, devices, config);
}

/** Unplugs devices from a running container and stops them. */
export async function detachDevices(
  services: Uses,
  owner: Owner,
  devices: DevicesMap,
  config: ConfigMap,
): Promise<void> {
  const id = containerId(owner.project, owner.name);
  const parts: MountedPart[] = [];
  for (const [name, options] of Object.entries(devices)) {
    const type = deviceType(name, options);
    const context = contextOf(services, owner, name, options, config);
    const link = type.link?.(context);
    if (link?.hostName) await services.runtime.detachNic(id, link);
    parts.push(...((await type.mounted?.(context)) ?? []));
  }
  for (const { target, number } of byPlace(parts).reverse()) await services.runtime.detachMount(id, target, number);
  await stopDevices(services, owner, devices, config);
}

export function contextOf(
  services: Uses,
  owner: Owner,
  name: string,
  options: DevicesMap[string],
  config: ConfigMap,
): DeviceContext {
  return {
    services,
    instance: containerId(owner.project, owner.name),
    project: owner.project,
    hostName: publishedName(owner.project, owner.name),
    name,
    options,
    volatile: volatileOf(config, name),
    folder: services.paths.devices(containerId(owner.project, owner.name)),
    idmap: keptIdmap(config),
    diskFolders: async () =>
      diskFolders((await services.database.read(reader => getProjectRecord(reader, owner.project))).config),
  };
}

/** Mounts in an order in which none hides another. */
export function byPlace<T extends { readonly target: string }>(mounts: readonly T[]): T[] {
  return [...mounts].sort((a, b) => (a.target < b.target ? -1 : 1));
}

function sorted(options: DevicesMap[string] | undefined): string {
  return JSON.stringify(options && Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1)));
}
