import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Cgroups } from './cgroups.ts';
import type { CpuLimit, DiskThrottle, MemoryLimit, ResourceLimits } from './runtime.ts';

/** A value for a file of a cgroup. */
export interface CgroupValue {
  readonly controller: string;
  readonly version: 1 | 2;
  readonly file: string;
  readonly value: string;
  /** the file is missing on some kernels (swap accounting), which is no failure */
  readonly optional?: boolean;
  /** names what exists only once the container runs */
  readonly late?: boolean;
}

const noLimit = { 1: '-1', 2: 'max' } as const;
/** Microseconds; the kernel's own default. */
const defaultPeriodUs = 100_000;

/** Limits as cgroup files, in the order in which they can be written when others were in force before. */
export function cgroupValues(limits: ResourceLimits, cgroups: Pick<Cgroups, 'versionOf'>): CgroupValue[] {
  const values: CgroupValue[] = [];
  const into = (controller: string, render: (version: 1 | 2) => readonly Entry[]): void => {
    const version = cgroups.versionOf(controller);
    if (version === undefined) return;
    for (const [file, value, optional = false] of render(version)) {
      values.push({ controller, version, file, value, ...(optional && { optional }) });
    }
  };
  into('memory', version => (version === 1 ? memoryV1(limits.memory) : memoryV2(limits.memory)));
  into('cpu', version => (version === 1 ? cpuV1(limits.cpu) : cpuV2(limits.cpu)));
  if (limits.cpu?.cpus !== undefined) {
    const { cpus } = limits.cpu;
    into('cpuset', () => [['cpuset.cpus', cpus]]);
  }
  into('blkio', () => blockV1(limits));
  into('io', () => blockV2(limits));
  into('hugetlb', version => hugePages(limits.hugePages ?? {}, version));
  into('pids', () => [['pids.max', limits.processes === undefined ? 'max' : String(limits.processes)]]);
  if (cgroups.versionOf('net_prio') === 1) {
    for (const link of limits.network?.links ?? []) {
      const value = `${link} ${String(limits.network?.priority ?? 0)}`;
      values.push({ controller: 'net_prio', version: 1, file: 'net_prio.ifpriomap', value, late: true });
    }
  }
  return values;
}

/** Values for a new cgroup: only what differs from its defaults, and no optional files that this kernel lacks. */
export function startValues(
  limits: ResourceLimits,
  cgroups: Pick<Cgroups, 'versionOf' | 'hierarchies'>,
  exists: (file: string) => boolean = existsSync,
): CgroupValue[] {
  const defaults = cgroupValues({}, cgroups);
  const lacks = ({ controller, file }: CgroupValue): boolean => {
    const hierarchy = cgroups.hierarchies.find(({ controllers }) => controllers.includes(controller));
    // A v2 root has no limit files to look for; kernels with v2 have them all.
    return hierarchy?.version === 1 && !exists(path.join(hierarchy.mountPoint, file));
  };
  return cgroupValues(limits, cgroups).filter(
    value =>
      !value.late &&
      !defaults.some(({ file, value: usual }) => file === value.file && usual === value.value) &&
      !(value.optional && lacks(value)),
  );
}

type Entry = readonly [file: string, value: string, optional?: boolean];

function memoryV1(memory: MemoryLimit | undefined): Entry[] {
  const bytes = memory?.bytes === undefined ? noLimit[1] : String(memory.bytes);
  const hard = memory?.enforce === 'hard' ? bytes : noLimit[1];
  const swappiness = memory?.swapPriority === undefined ? 60 : 50 + memory.swapPriority;
  return [
    // Memory with swap may never be limited below memory alone.
    ['memory.memsw.limit_in_bytes', noLimit[1], true],
    ['memory.limit_in_bytes', hard],
    ...(memory && !memory.swap ? [['memory.memsw.limit_in_bytes', hard, true] as const] : []),
    ['memory.swappiness', memory && !memory.swap ? '0' : String(swappiness), true],
    ['memory.soft_limit_in_bytes', memory?.enforce === 'soft' ? bytes : noLimit[1]],
  ];
}

function memoryV2(memory: MemoryLimit | undefined): Entry[] {
  const bytes = memory?.bytes === undefined ? undefined : String(memory.bytes);
  return [
    ['memory.max', (memory?.enforce === 'hard' ? bytes : undefined) ?? noLimit[2]],
    // What is above the protected amount is reclaimed first.
    ['memory.low', (memory?.enforce === 'soft' ? bytes : undefined) ?? '0'],
    ['memory.swap.max', memory && !memory.swap ? '0' : noLimit[2], true],
  ];
}

function cpuV1(cpu: CpuLimit | undefined): Entry[] {
  const share = Math.round((1024 * (cpu?.sharePercent ?? 100)) / 100) - (10 - (cpu?.priority ?? 10));
  return [
    ['cpu.shares', String(Math.max(2, share))],
    ['cpu.cfs_quota_us', noLimit[1], true],
    ['cpu.cfs_period_us', String(cpu?.quota?.periodUs ?? defaultPeriodUs), true],
    ...(cpu?.quota ? [['cpu.cfs_quota_us', String(cpu.quota.timeUs)] as const] : []),
  ];
}

function cpuV2(cpu: CpuLimit | undefined): Entry[] {
  const quota = cpu?.quota ? String(cpu.quota.timeUs) : noLimit[2];
  const weight = (cpu?.sharePercent ?? 100) - (10 - (cpu?.priority ?? 10));
  return [
    ['cpu.weight', String(Math.max(1, weight))],
    ['cpu.max', `${quota} ${String(cpu?.quota?.periodUs ?? defaultPeriodUs)}`, true],
  ];
}

/** Both schedulers' files: which of them there is depends on the kernel. */
function blockV1({ disk }: ResourceLimits): Entry[] {
  const weight = (usual: number): string => String(diskWeight(disk?.priority) ?? usual);
  return [
    ['blkio.weight', weight(500), true],
    ['blkio.bfq.weight', weight(100), true],
    ...(disk?.throttles ?? []).flatMap(throttle => throttleV1(throttle)),
  ];
}

function throttleV1({ device, ...limit }: DiskThrottle): Entry[] {
  const entry = (file: string, value: number | undefined): Entry => [
    `blkio.throttle.${file}_device`,
    `${device} ${String(value ?? 0)}`,
  ];
  return [
    entry('read_bps', limit.readBytes),
    entry('read_iops', limit.readRequests),
    entry('write_bps', limit.writeBytes),
    entry('write_iops', limit.writeRequests),
  ];
}

function blockV2({ disk }: ResourceLimits): Entry[] {
  const weight = `default ${String(diskWeight(disk?.priority) ?? 100)}`;
  const word = (name: string, value: number | undefined): string =>
    `${name}=${value === undefined ? 'max' : String(value)}`;
  return [
    ['io.weight', weight, true],
    ['io.bfq.weight', weight, true],
    ...(disk?.throttles ?? []).map(({ device, ...limit }): Entry => {
      const words = [
        word('rbps', limit.readBytes),
        word('wbps', limit.writeBytes),
        word('riops', limit.readRequests),
        word('wiops', limit.writeRequests),
      ];
      return ['io.max', [device, ...words].join(' ')];
    }),
  ];
}

function diskWeight(priority: number | undefined): number | undefined {
  return priority === undefined ? undefined : Math.max(10, priority * 100);
}

/** Sizes of pages that some kernel has. */
export const hugePageSizes = ['64KB', '1MB', '2MB', '1GB'] as const;

function hugePages(limits: Readonly<Record<string, number>>, version: 1 | 2): Entry[] {
  return hugePageSizes.map(size => {
    const bytes = limits[size];
    const file = version === 1 ? `hugetlb.${size}.limit_in_bytes` : `hugetlb.${size}.max`;
    return [file, bytes === undefined ? noLimit[version] : String(bytes), true];
  });
}
