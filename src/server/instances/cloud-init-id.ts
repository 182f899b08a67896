import { changedKeys } from '#base/config-schema.ts';
import type { Expanded } from '../profiles/expand-config.ts';

/** Key of the id by which cloud-init in the guest tells whether it ran for this instance as it is now. */
export const cloudInitId = 'volatile.cloud-init.instance-id';

/** Whether a change shall make cloud-init run again: other data for it, or other names of network devices. */
export function changesCloudInit(before: Expanded, after: Expanded): boolean {
  const data = changedKeys(before.config, after.config);
  if (data.some(key => /^(cloud-init|user)\.(user-data|vendor-data|network-config|meta-data)$/.test(key))) return true;
  return linkNames(before) !== linkNames(after);
}

function linkNames({ devices }: Expanded): string {
  const nics = Object.entries(devices).filter(([, options]) => options['type'] === 'nic');
  return JSON.stringify(nics.map(([device, options]) => `${device} ${options['name'] ?? ''}`).sort());
}
