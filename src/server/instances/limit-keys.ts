import { defineKeys, type KeyRule } from '#base/config-schema.ts';
import { parseSize } from '#base/units.ts';

const word = (summary: string, check?: (value: string) => string | undefined): KeyRule => ({
  type: 'string',
  summary,
  ...(check && { check }),
});

const priority = (summary: string): KeyRule => ({ type: 'integer', min: 0, max: 10, summary });

const hugePages = (size: string): KeyRule => ({ type: 'size', live: true, summary: `Most bytes in pages of ${size}` });

/** The keys `limits.*`: what an instance may use of its host. */
export const limitKeys = defineKeys({
  'limits.cpu': word('Number of CPUs or a set such as "0-3,7"', cpuProblem),
  'limits.cpu.allowance': word('Share such as "50%" or hard limit such as "25ms/100ms"', allowanceProblem),
  'limits.cpu.priority': priority('How late the instance yields to others with the same share: 10 is the last'),
  'limits.disk.priority': priority('Weight of disk requests against those of others'),
  'limits.hugepages.1GB': hugePages('1 GiB'),
  'limits.hugepages.1MB': hugePages('1 MiB'),
  'limits.hugepages.2MB': hugePages('2 MiB'),
  'limits.hugepages.64KB': hugePages('64 KiB'),
  'limits.kernel.*': word('Resource limit of getrlimit(2): a number, "unlimited" or "SOFT:HARD"', resourceLimitProblem),
  'limits.memory': word('Bytes or percentage of the host, such as "512MiB" or "10%"', memoryProblem),
  'limits.memory.enforce': {
    type: 'enum',
    values: ['hard', 'soft'],
    default: 'hard',
    live: true,
    summary: 'Whether memory above the limit is refused or only reclaimed first',
  },
  'limits.memory.swap': { type: 'boolean', default: 'true', live: true, summary: 'Whether memory may be swapped out' },
  'limits.memory.swap.priority': priority('How late the instance is swapped out'),
  'limits.network.priority': priority('Priority of the packets that the instance sends'),
  'limits.processes': { type: 'integer', min: 1, live: true, summary: 'Most processes and threads' },
});

/** Names of getrlimit(2) as liblxc takes them. */
const resourceLimits: ReadonlySet<string> = new Set(
  `as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack`.split(' '),
);

/** Whether `limits.kernel.NAME` is a resource limit. */
export function isResourceLimit(name: string): boolean {
  return resourceLimits.has(name);
}

function cpuProblem(value: string): string | undefined {
  if (/^\d{1,5}$/.test(value)) return undefined;
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
  if (/^\d{1,4}%$/.test(value)) return undefined;
  const quota = /^(\d{1,6})ms\/(\d{1,6})ms$/.exec(value);
  if (!quota) return 'must be a share such as "50%" or a time such as "25ms/100ms"';
  const period = Number(quota[2]);
  // cpu.cfs_period_us may be 1 ms to 1 s (Linux, Documentation/scheduler/sched-bwc.rst)
  return period >= 1 && period <= 1000 && Number(quota[1]) >= 1 ? undefined : 'must have a period of 1ms to 1000ms';
}

function memoryProblem(value: string): string | undefined {
  const share = /^(\d{1,4})%$/.exec(value)?.[1];
  const amount = share === undefined ? parseSize(value) : Number(share);
  if (amount === undefined) return 'must be a size such as "512MiB" or a percentage';
  return amount > 0 ? undefined : 'must not be 0';
}

function resourceLimitProblem(value: string): string | undefined {
  const good = /^(\d{1,19}|unlimited)(:(\d{1,19}|unlimited))?$/.test(value);
  return good ? undefined : 'must be a number, "unlimited" or "SOFT:HARD"';
}
