import { existsSync } from 'node:fs';
import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { effectiveBoolean } from '#base/config-schema.ts';
import { instanceKeys } from './config-keys.ts';

/** liblxc's hook that mounts the driver's libraries into a container, by means of NVIDIA's own tool. */
const hook = '/usr/share/lxc/hooks/nvidia';
const tool = 'nvidia-container-cli';

/** Why nvidia.* keys cannot be in force on this host, or undefined when they can. */
export function nvidiaProblem(config: ConfigMap, there: (file: string) => boolean = existsSync): string | undefined {
  if (!effectiveBoolean(instanceKeys, config, 'nvidia.runtime')) return undefined;
  if (effectiveBoolean(instanceKeys, config, 'security.privileged')) return 'cannot be set with "security.privileged"';
  const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  if (!there(hook)) return `needs liblxc's hook "${hook}", which this host lacks`;
  if (folders.some(folder => there(path.join(folder, tool)))) return undefined;
  return `needs NVIDIA's container tools ("${tool}"), which this host lacks`;
}

/** What liblxc is told for nvidia.* keys. */
export function nvidiaLines(config: ConfigMap): readonly string[] {
  if (!effectiveBoolean(instanceKeys, config, 'nvidia.runtime')) return [];
  const variables = {
    NVIDIA_VISIBLE_DEVICES: 'none',
    NVIDIA_DRIVER_CAPABILITIES: config['nvidia.driver.capabilities'] || 'compute,utility',
    NVIDIA_REQUIRE_CUDA: config['nvidia.require.cuda'],
    NVIDIA_REQUIRE_DRIVER: config['nvidia.require.driver'],
  };
  const lines = Object.entries(variables).flatMap(([name, value]) =>
    value ? [`lxc.environment = ${name}=${value}`] : [],
  );
  return [...lines, `lxc.hook.mount = ${hook}`];
}
