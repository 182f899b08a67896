import type { ConfigMap } from '#api/common.ts';
import { effective, effectiveBoolean } from '#base/config-schema.ts';
import { projectKeys, splitList } from './config-keys.ts';

/** Whether the restrictions of a project let it use a network of the default project or an interface of the host. */
export function networkAllowed(config: ConfigMap, name: string, managed: boolean): boolean {
  if (!effectiveBoolean(projectKeys, config, 'restricted')) return true;
  const nics = effective(projectKeys, config, 'restricted.devices.nic');
  if (nics === 'block' || (nics === 'managed' && !managed)) return false;
  const names = splitList(config['restricted.networks.access'] ?? '');
  return names.length === 0 || names.includes(name);
}
