import type { ConfigMap, DevicesMap } from '#api/common.ts';
import type { InstancesPost } from '#api/instance.ts';
import type { Client } from '../client.ts';

export interface NewInstance {
  readonly name: string;
  readonly architecture: string | undefined;
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
  /** only the NICs among `devices`: those of the profiles are left out */
  readonly ownNics: boolean;
  readonly profiles: readonly string[];
  readonly storage: string | undefined;
  readonly ephemeral?: boolean;
}

/** The request for an instance whose files come from elsewhere. */
export async function newInstance(target: Client, given: NewInstance): Promise<Omit<InstancesPost, 'source'>> {
  const inherited: Record<string, Readonly<Record<string, string>>> = {};
  for (const profile of given.profiles) Object.assign(inherited, (await target.profiles.get(profile)).devices);
  const devices: Record<string, Readonly<Record<string, string>>> = { ...given.devices };
  for (const [name, device] of Object.entries(inherited))
    if (given.ownNics && device['type'] === 'nic' && !Object.hasOwn(devices, name)) devices[name] = { type: 'none' };
  if (given.storage !== undefined) {
    const [name, root] = Object.entries(inherited).find(([, device]) => device['path'] === '/') ?? ['root'];
    devices[name] = { type: 'disk', path: '/', ...root, pool: given.storage };
  }
  return {
    name: given.name,
    type: 'container',
    ...(given.architecture !== undefined && { architecture: given.architecture }),
    config: given.config,
    devices,
    profiles: given.profiles,
    ephemeral: given.ephemeral ?? false,
  };
}

/** Properties of a system as the keys that instances of an image have. */
export function imageKeys(properties: Readonly<Record<string, string>>): ConfigMap {
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [`image.${key}`, value]));
}
