import { defaultProject, type DeviceMap, type DevicesMap } from '#api/common.ts';
import { instanceConfig, instanceDevices, loadConfigs, loadDevices, profileDevices } from './config-rows.ts';
import type { Reader } from './database.ts';

/** An instance's or profile's devices in force. */
export interface DeviceHolder {
  readonly id: number;
  readonly kind: 'instances' | 'profiles';
  readonly project: string;
  readonly name: string;
  readonly devices: DevicesMap;
}

/** All instances, then all profiles, with their devices; an instance's with those of its profiles. */
export async function listDeviceHolders(reader: Reader): Promise<readonly DeviceHolder[]> {
  const owners = (table: string): Promise<Pick<DeviceHolder, 'id' | 'project' | 'name'>[]> =>
    reader.all(
      `SELECT o.id, p.name AS project, o.name FROM ${table} o JOIN projects p ON p.id = o.project_id ORDER BY p.id, o.name`,
    );
  const ofProfiles = await loadDevices(reader, profileDevices);
  const ofInstances = await loadDevices(reader, instanceDevices);
  const applied = await reader.all<{ instance: number; profile: number }>(
    'SELECT instance_id AS instance, profile_id AS profile FROM instances_profiles ORDER BY instance_id, apply_order',
  );
  const inherited = new Map<number, DevicesMap>();
  for (const { instance, profile } of applied) {
    inherited.set(instance, { ...inherited.get(instance), ...ofProfiles.get(profile) });
  }
  const instances = (await owners('instances')).map(owner => ({
    ...owner,
    kind: 'instances' as const,
    devices: { ...inherited.get(owner.id), ...ofInstances.get(owner.id) },
  }));
  const profiles = (await owners('profiles')).map(owner => ({
    ...owner,
    kind: 'profiles' as const,
    devices: ofProfiles.get(owner.id) ?? {},
  }));
  return [...instances, ...profiles];
}

/** The network or host interface that a NIC is on. */
export function networkOfNic(device: DeviceMap): string | undefined {
  return device['type'] === 'nic' ? device['network'] || device['parent'] || undefined : undefined;
}

/** URL of an instance or profile. */
export function urlOfHolder({ kind, project, name }: Pick<DeviceHolder, 'kind' | 'project' | 'name'>): string {
  const url = `/1.0/${kind}/${encodeURIComponent(name)}`;
  return project === defaultProject ? url : `${url}?project=${encodeURIComponent(project)}`;
}

/** A NIC of an instance. */
export interface NicRecord {
  readonly project: string;
  readonly instance: string;
  readonly device: string;
  readonly network: string;
  readonly options: DeviceMap;
  /** absent until the instance has been made */
  readonly hardwareAddress: string | undefined;
}

/** NICs of all instances that are on a network or host interface. */
export async function listNics(reader: Reader): Promise<readonly NicRecord[]> {
  const configs = await loadConfigs(reader, instanceConfig);
  return (await listDeviceHolders(reader)).flatMap(({ id, kind, project, name, devices }) =>
    kind === 'profiles'
      ? []
      : Object.entries(devices).flatMap(([device, options]) => {
          const network = networkOfNic(options);
          if (network === undefined) return [];
          const hardwareAddress = options['hwaddr'] || configs.get(id)?.[`volatile.${device}.hwaddr`];
          return [{ project, instance: name, device, network, options, hardwareAddress }];
        }),
  );
}
