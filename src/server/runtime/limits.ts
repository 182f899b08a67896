import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Cgroups } from './cgroups.ts';
import type { CpuLimit, MemoryLimit, ResourceLimits } from './runtime.ts';

/** A value for a file of a cgroup. */
export interface CgroupValue {
  readonly controller: string;
  readonly version: 1 | 2;
  readonly file: string;
  readonly value: string;
  /** the file is missing on some kernels (swap accounting), which is no failure */
  readonly optional?: boolean;
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
  into('pids', () => [['pids.max', limits.processes === undefined ? 'max' : String(limits.processes)]]);
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
      !defaults.some(({ file, value: usual }) => file === value.file && usual === value.value) &&
      !(value.optional && lacks(value)),
  );
}

type Entry = readonly [file: string, value: string, optional?: boolean];

function memoryV1(memory: MemoryLimit | undefined): Entry[] {
  const hard = memory?.enforce === 'hard' ? String(memory.bytes) : noLimit[1];
  const soft = memory?.enforce === 'soft' ? String(memory.bytes) : noLimit[1];
  return [
    // Memory with swap may never be limited below memory alone.
    ['memory.memsw.limit_in_bytes', noLimit[1], true],
    ['memory.limit_in_bytes', hard],
    ...(memory && !memory.swap ? [['memory.memsw.limit_in_bytes', hard, true] as const] : []),
    ['memory.swappiness', memory && !memory.swap ? '0' : '60', true],
    ['memory.soft_limit_in_bytes', soft],
  ];
}

function memoryV2(memory: MemoryLimit | undefined): Entry[] {
  return [
    ['memory.max', memory?.enforce === 'hard' ? String(memory.bytes) : noLimit[2]],
    // What is above the protected amount is reclaimed first.
    ['memory.low', memory?.enforce === 'soft' ? String(memory.bytes) : '0'],
    ['memory.swap.max', memory && !memory.swap ? '0' : noLimit[2], true],
  ];
}

function cpuV1(cpu: CpuLimit | undefined): Entry[] {
  return [
    ['cpu.shares', String(Math.max(2, Math.round((1024 * (cpu?.sharePercent ?? 100)) / 100)))],
    ['cpu.cfs_quota_us', noLimit[1], true],
    ['cpu.cfs_period_us', String(cpu?.quota?.periodUs ?? defaultPeriodUs), true],
    ...(cpu?.quota ? [['cpu.cfs_quota_us', String(cpu.quota.timeUs)] as const] : []),
  ];
}

function cpuV2(cpu: CpuLimit | undefined): Entry[] {
  const quota = cpu?.quota ? String(cpu.quota.timeUs) : noLimit[2];
  return [
    ['cpu.weight', String(cpu?.sharePercent ?? 100)],
    ['cpu.max', `${quota} ${String(cpu?.quota?.periodUs ?? defaultPeriodUs)}`, true],
  ];
}
