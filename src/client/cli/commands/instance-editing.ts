import type { ConfigMap, DevicesMap } from '#api/common.ts';
import type { InstancePut } from '#api/instance.ts';
import type { Client } from '../../client.ts';
import type { Change } from '../../resources/collection.ts';
import type { DeviceHolder } from '../device-commands.ts';
import type { Session } from '../session.ts';

export interface EditableInstance {
  readonly put: Required<Omit<InstancePut, 'restore' | 'config' | 'devices' | 'profiles'>> & {
    readonly config: ConfigMap;
    readonly devices: DevicesMap;
    readonly profiles: readonly string[];
  };
  readonly expandedDevices: DevicesMap;
  /** refused when somebody else changed the instance meanwhile */
  save(put: InstancePut): Change;
}

export async function loadInstance(client: Client, name: string): Promise<EditableInstance> {
  const { value, etag } = await client.instances.tagged(name);
  return {
    put: {
      architecture: value.architecture,
      config: value.config,
      devices: value.devices,
      ephemeral: value.ephemeral,
      profiles: value.profiles,
      stateful: value.stateful,
      description: value.description,
    },
    expandedDevices: value.expanded_devices,
    save: put => client.instances.replace(name, put, etag),
  };
}

export async function loadInstanceDevices(session: Session, target: string): Promise<DeviceHolder> {
  const { client, name } = await session.object(target, 'instance');
  const instance = await loadInstance(client, name);
  return {
    devices: instance.put.devices,
    inherited: instance.expandedDevices,
    save: devices => instance.save({ ...instance.put, devices }),
  };
}

/** Replaces the profiles of an instance. */
export async function changeProfiles(
  session: Session,
  target: string,
  update: (profiles: readonly string[]) => readonly string[],
): Promise<string> {
  const { client, name } = await session.object(target, 'instance');
  const instance = await loadInstance(client, name);
  await session.finish(instance.save({ ...instance.put, profiles: update(instance.put.profiles) }));
  return name;
}
