import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { defineKeys, type KeyRule, valueProblem } from '#base/config-schema.ts';
import { isResourceLimit, limitKeys } from './limit-keys.ts';
import { securityKeys } from './security-keys.ts';
import { snapshotKeys } from './snapshot-keys.ts';
import { syscallKeys } from './syscall-keys.ts';

const text = (summary: string): KeyRule => ({ type: 'text', summary });
const word = (summary: string, check?: (value: string) => string | undefined): KeyRule => ({
  type: 'string',
  summary,
  ...(check && { check }),
});
/** What LXD reads as uint32. */
const count = (summary: string): KeyRule => ({ type: 'integer', min: 0, max: 2 ** 32 - 1, summary });

/** Keys of instances; profiles take the same but for `image.*` and `volatile.*`. */
export const instanceKeys = defineKeys({
  ...limitKeys,
  ...securityKeys,
  ...snapshotKeys,
  ...syscallKeys,
  'boot.autostart': { type: 'boolean', summary: 'Start the instance with the daemon; as it was left when not set' },
  'boot.autostart.delay': { type: 'integer', default: '0', summary: 'Seconds to wait after it' },
  'boot.autostart.priority': { type: 'integer', default: '0', summary: 'The highest starts first' },
  'boot.host_shutdown_timeout': {
    type: 'integer',
    default: '30',
    summary: 'Seconds that the instance has to stop when the host shuts down',
  },
  'boot.stop.priority': { type: 'integer', default: '0', summary: 'The highest stops first' },
  'cloud-init.network-config': text('Network configuration for cloud-init'),
  'cloud-init.user-data': text('User data for cloud-init'),
  'cloud-init.vendor-data': text('Vendor data for cloud-init'),
  'cluster.evacuate': {
    type: 'enum',
    values: ['auto', 'migrate', 'live-migrate', 'stop'],
    default: 'auto',
    summary: 'What happens when the cluster member is evacuated',
  },
  'environment.*': word('Environment variable for processes of the instance'),
  'image.*': word('Property of the image that the instance was made from'),
  'linux.kernel_modules': word('Kernel modules to load before start, separated by commas', modulesProblem),
  'linux.sysctl.*': word('Value for a sysctl of the instance'),
  'migration.incremental.memory': {
    type: 'boolean',
    default: 'false',
    summary: 'Copy memory while the instance still runs when it moves',
  },
  'migration.incremental.memory.goal': count('Percentage of memory to be in sync before the last copy'),
  'migration.incremental.memory.iterations': count('Most rounds of copying memory'),
  'migration.stateful': {
    type: 'boolean',
    default: 'false',
    summary: 'Start the instance so that the state of its processes can be kept',
  },
  'nvidia.driver.capabilities': word('What of the NVIDIA driver the instance gets, such as "compute,utility"'),
  'nvidia.require.cuda': word('Version of CUDA that must be there, such as ">=9.0"'),
  'nvidia.require.driver': word('Version of the NVIDIA driver that must be there'),
  'nvidia.runtime': { type: 'boolean', default: 'false', summary: 'Pass the NVIDIA libraries of the host through' },
  'user.*': text('Anything that users keep with the instance'),
  'volatile.*': { type: 'text', internal: true, summary: 'Kept by the daemon' },
});

/** Throws "invalid-argument" for a config of an instance that is not valid key by key. */
export function checkConfig(config: ConfigMap, owner: 'instance' | 'profile' = 'instance'): void {
  for (const [key, value] of Object.entries(config)) {
    const problem = keyProblem(key, owner) ?? valueProblem(instanceKeys, key, value);
    if (problem !== undefined) throw new ApiError('invalid-argument', `Config key "${key.slice(0, 100)}" ${problem}`);
  }
}

function keyProblem(key: string, owner: 'instance' | 'profile'): string | undefined {
  if (owner === 'profile' && /^(image|volatile)\./.test(key)) return 'is only for instances, not for profiles';
  const name = /^(environment|limits\.kernel|linux\.sysctl)\.(.*)$/s.exec(key);
  if (name?.[1] === 'environment' && !/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name[2] ?? ''))
    return 'does not name an environment variable';
  if (name?.[1] === 'limits.kernel' && !isResourceLimit(name[2] ?? '')) return 'does not name a resource limit';
  if (name?.[1] === 'linux.sysctl' && !/^[A-Za-z0-9_-]+([./][A-Za-z0-9_@:-]+)*$/.test(name[2] ?? ''))
    return 'does not name a sysctl';
  return undefined;
}

function modulesProblem(value: string): string | undefined {
  const good = value.split(',').every(name => /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/.test(name.trim()));
  return good ? undefined : 'must be names of kernel modules separated by commas';
}
