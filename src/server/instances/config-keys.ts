import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { defineKeys, type KeyRule, parseBoolean, valueProblem } from '#base/config-schema.ts';
import { parseSize } from '#base/units.ts';
import { rawLxcProblem } from './raw-lxc.ts';

const text = (summary: string): KeyRule => ({ type: 'text', summary });
const word = (summary: string, check?: (value: string) => string | undefined): KeyRule => ({
  type: 'string',
  summary,
  ...(check && { check }),
});

/** A key of LXD's that has no behaviour here: only the value that says what happens anyway is taken. */
const notYet = (summary: string, inForce?: string): KeyRule => ({
  type: 'string',
  summary,
  ...(inForce !== undefined && { default: inForce }),
  check: value => {
    const same = value === inForce || (parseBoolean(value) !== undefined && String(parseBoolean(value)) === inForce);
    return same ? undefined : `is not supported yet${inForce === undefined ? '' : ` (only "${inForce}" is)`}`;
  },
});

/** Keys of instances; profiles take the same but for `image.*` and `volatile.*`. */
export const instanceKeys = defineKeys({
  'boot.autostart': { type: 'boolean', summary: 'Start the instance with the daemon; as it was left when not set' },
  'boot.autostart.delay': { type: 'integer', min: 0, max: 3600, default: '0', summary: 'Seconds to wait after it' },
  'boot.autostart.priority': { type: 'integer', default: '0', summary: 'The highest starts first' },
  'boot.host_shutdown_timeout': {
    type: 'integer',
    min: 0,
    max: 86_400,
    default: '30',
    summary: 'Seconds that the instance has to stop when the host shuts down',
  },
  'boot.stop.priority': { type: 'integer', default: '0', summary: 'The highest stops first' },
  'cloud-init.network-config': text('Network configuration for cloud-init'),
  'cloud-init.user-data': text('User data for cloud-init'),
  'cloud-init.vendor-data': text('Vendor data for cloud-init'),
  'cluster.evacuate': notYet('What happens when the cluster member is evacuated', 'auto'),
  'environment.*': word('Environment variable for processes of the instance'),
  'image.*': word('Property of the image that the instance was made from'),
  'limits.cpu': word('Number of CPUs or a set such as "0-3,7"', cpuProblem),
  'limits.cpu.allowance': word('Share such as "50%" or hard limit such as "25ms/100ms"', allowanceProblem),
  'limits.cpu.priority': notYet('Priority against instances on the same CPUs'),
  'limits.disk.priority': notYet('Priority of disk requests'),
  'limits.hugepages.*': notYet('Huge pages that the instance may use'),
  'limits.kernel.*': word('Resource limit of getrlimit(2): a number, "unlimited" or "SOFT:HARD"', resourceLimitProblem),
  'limits.memory': word('Bytes or percentage of the host, such as "512MiB" or "10%"', memoryProblem),
  'limits.memory.enforce': {
    type: 'enum',
    values: ['hard', 'soft'],
    default: 'hard',
    live: true,
    summary: 'Whether memory above the limit is refused or only reclaimed first',
  },
  'limits.memory.hugepages': notYet('Whether huge pages may be used', 'true'),
  'limits.memory.swap': { type: 'boolean', default: 'true', live: true, summary: 'Whether memory may be swapped out' },
  'limits.memory.swap.priority': notYet('How late the instance is swapped out'),
  'limits.network.priority': notYet('Priority of network packets'),
  'limits.processes': { type: 'integer', min: 1, live: true, summary: 'Most processes and threads' },
  'linux.kernel_modules': word('Kernel modules to load before start, separated by commas', modulesProblem),
  'linux.sysctl.*': word('Value for a sysctl of the instance'),
  'migration.incremental.memory': notYet('Copy memory while the instance still runs', 'false'),
  'migration.incremental.memory.goal': notYet('Percentage of memory to be in sync before the last copy'),
  'migration.incremental.memory.iterations': notYet('Most rounds of copying memory'),
  'migration.stateful': notYet('Whether the instance may be moved while it runs', 'false'),
  'nvidia.*': notYet('Pass through of NVIDIA devices'),
  'nvidia.runtime': notYet('Pass through of NVIDIA libraries', 'false'),
  'raw.apparmor': notYet('Lines for the AppArmor profile'),
  'raw.idmap': notYet('Lines for the id map'),
  'raw.lxc': { type: 'text', summary: 'Lines for the liblxc configuration', check: rawLxcProblem },
  'raw.seccomp': notYet('Whole seccomp policy'),
  'security.devlxd': notYet('Whether /dev/lxd is in the instance', 'false'),
  'security.devlxd.images': notYet('Whether /dev/lxd gives images', 'false'),
  'security.idmap.base': { type: 'integer', min: 1, summary: 'First host id of an isolated id map' },
  'security.idmap.isolated': { type: 'boolean', default: 'false', summary: 'Ids that no other instance has' },
  'security.idmap.size': {
    type: 'integer',
    min: 65_536,
    max: 1_000_000_000,
    summary: 'Number of ids of an isolated id map',
  },
  'security.nesting': { type: 'boolean', default: 'false', summary: 'Allow containers within the instance' },
  'security.privileged': { type: 'boolean', default: 'false', summary: 'Run without an id map: root is the host’s' },
  'security.protection.delete': { type: 'boolean', default: 'false', live: true, summary: 'Refuse to delete it' },
  'security.protection.shift': { type: 'boolean', default: 'false', summary: 'Ids on disk are never shifted anyway' },
  'security.syscalls.*': notYet('System calls that are refused or intercepted'),
  'security.syscalls.deny_default': notYet('Refuse the usual dangerous system calls', 'true'),
  'snapshots.expiry': word('Age at which snapshots are deleted, such as "3d 12H"', expiryProblem),
  'snapshots.pattern': word('Name of snapshots: "snap%d" counts', patternProblem),
  'snapshots.schedule': notYet('When snapshots are made', ''),
  'snapshots.schedule.stopped': notYet('Whether stopped instances are snapshot on schedule', 'false'),
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
  if (name?.[1] === 'limits.kernel' && !resourceLimits.has(name[2] ?? '')) return 'does not name a resource limit';
  if (name?.[1] === 'linux.sysctl' && !/^[A-Za-z0-9_-]+([./][A-Za-z0-9_@:-]+)*$/.test(name[2] ?? ''))
    return 'does not name a sysctl';
  return undefined;
}

/** Names of getrlimit(2) as liblxc takes them. */
const resourceLimits: ReadonlySet<string> = new Set(
  `as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack`.split(' '),
);

function cpuProblem(value: string): string | undefined {
  if (/^\d{1,4}$/.test(value)) return Number(value) >= 1 ? undefined : 'must be at least 1';
  return parseCpuSet(value) ? undefined : 'must be a number of CPUs or a set such as "0-3,7"';
}

/** Numbers of CPUs in a set such as "0-3,7"; undefined when it is not one. */
export function parseCpuSet(value: string): readonly number[] | undefined {
  if (value.length > 1000 || !/^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$/.test(value)) return undefined;
  const cpus = new Set<number>();
  for (const part of value.split(',')) {
    const [first = 0, last = first] = part.split('-').map(Number);
    if (last < first) return undefined;
    for (let cpu = first; cpu <= last; cpu += 1) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

function allowanceProblem(value: string): string | undefined {
  const share = /^(\d{1,3})%$/.exec(value);
  if (share) return Number(share[1]) >= 1 && Number(share[1]) <= 100 ? undefined : 'must be from 1% to 100%';
  const quota = /^(\d{1,6})ms\/(\d{1,6})ms$/.exec(value);
  if (!quota) return 'must be a share such as "50%" or a time such as "25ms/100ms"';
  const period = Number(quota[2]);
  // cpu.cfs_period_us may be 1 ms to 1 s (Linux, Documentation/scheduler/sched-bwc.rst)
  return period >= 1 && period <= 1000 && Number(quota[1]) >= 1 ? undefined : 'must have a period of 1ms to 1000ms';
}

function memoryProblem(value: string): string | undefined {
  const share = /^(\d{1,3})%$/.exec(value);
  if (share) return Number(share[1]) >= 1 && Number(share[1]) <= 100 ? undefined : 'must be from 1% to 100%';
  const bytes = parseSize(value);
  if (bytes === undefined) return 'must be a size such as "512MiB" or a percentage';
  return bytes >= 2 ** 20 ? undefined : 'must be at least 1MiB';
}

function resourceLimitProblem(value: string): string | undefined {
  const good = /^(\d{1,19}|unlimited)(:(\d{1,19}|unlimited))?$/.test(value);
  return good ? undefined : 'must be a number, "unlimited" or "SOFT:HARD"';
}

function modulesProblem(value: string): string | undefined {
  const good = value.split(',').every(name => /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/.test(name.trim()));
  return good ? undefined : 'must be names of kernel modules separated by commas';
}

function expiryProblem(value: string): string | undefined {
  return parseExpiry(value) ? undefined : 'must be an age such as "3d 12H" (M, H, d, w, m, y)';
}

/** Amounts by unit of an age such as "3d 12H": M minutes, H hours, d days, w weeks, m months, y years. */
export function parseExpiry(value: string): ReadonlyMap<string, number> | undefined {
  const amounts = new Map<string, number>();
  for (const part of value.trim().split(/\s+/)) {
    const match = /^(\d{1,5})([MHdwmy])$/.exec(part);
    if (!match?.[2] || amounts.has(match[2])) return undefined;
    amounts.set(match[2], Number(match[1]));
  }
  return amounts;
}

function patternProblem(value: string): string | undefined {
  if (value.includes('{{') || value.includes('{%')) return 'must not hold template expressions';
  if (value.split('%d').length > 2) return 'must hold "%d" at most once';
  return /^[^\s/]{1,100}$/.test(value) ? undefined : 'must be the name of a snapshot';
}
