import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { ConfigMap } from '#api/common.ts';
import { effective, effectiveBoolean } from '#base/config-schema.ts';
import { parseSize } from '#base/units.ts';
import { hugePageSizes } from '../runtime/limits.ts';
import type { CpuLimit, DiskThrottle, MemoryLimit, ResourceLimits } from '../runtime/runtime.ts';
import { instanceKeys } from './config-keys.ts';
import { parseCpuSet } from './limit-keys.ts';

/** What limits are measured against. */
export interface HostResources {
  readonly memoryBytes: number;
  /** numbers of the CPUs that are online */
  readonly cpus: readonly number[];
}

export function hostResources(): HostResources {
  return { memoryBytes: os.totalmem(), cpus: onlineCpus() };
}

/** Keys whose change reaches a running container through its limits. */
export function isLimitKey(key: string): boolean {
  return /^limits\.(cpu|memory|processes|disk|hugepages|network)/.test(key);
}

/**
 * Limits of an expanded config. `pinned` counts for each CPU the containers that are pinned to it already: a number
 * of CPUs becomes a set of those used least. `links` are the host's ends of the container's.
 */
export function resourceLimits(
  config: ConfigMap,
  host: HostResources,
  pinned: ReadonlyMap<number, number> = new Map(),
  links: readonly string[] = [],
): ResourceLimits {
  const memory = memoryLimit(config, host);
  const cpu = cpuLimit(config, host, pinned);
  const disk = priorityOf(config, 'limits.disk.priority');
  const hugePages = hugePageLimits(config);
  const network = priorityOf(config, 'limits.network.priority');
  const processes = config['limits.processes'];
  return {
    ...(memory && { memory }),
    ...(cpu && { cpu }),
    ...(disk !== undefined && { disk: { priority: disk, throttles: [] } }),
    ...(Object.keys(hugePages).length > 0 && { hugePages }),
    ...(links.length > 0 && { network: { priority: network ?? 0, links } }),
    ...(processes && { processes: Number(processes) }),
  };
}

/** The same limits with those of disks. */
export function withThrottles(limits: ResourceLimits, throttles: readonly DiskThrottle[]): ResourceLimits {
  return throttles.length === 0 ? limits : { ...limits, disk: { ...limits.disk, throttles } };
}

function memoryLimit(config: ConfigMap, host: HostResources): MemoryLimit | undefined {
  const value = config['limits.memory'] ?? '';
  const share = /^(\d+)%$/.exec(value)?.[1];
  const bytes = share === undefined ? parseSize(value) : Math.floor((host.memoryBytes * Number(share)) / 100);
  const swap = effectiveBoolean(instanceKeys, config, 'limits.memory.swap');
  const swapPriority = priorityOf(config, 'limits.memory.swap.priority');
  if (bytes === undefined && swap && swapPriority === undefined) return undefined;
  return {
    ...(bytes !== undefined && { bytes }),
    enforce: effective(instanceKeys, config, 'limits.memory.enforce') === 'soft' ? 'soft' : 'hard',
    swap,
    ...(swapPriority !== undefined && { swapPriority }),
  };
}

function cpuLimit(config: ConfigMap, host: HostResources, pinned: ReadonlyMap<number, number>): CpuLimit | undefined {
  const cpus = cpuSet(config['limits.cpu'] ?? '', host, pinned);
  const allowance = config['limits.cpu.allowance'] ?? '';
  const share = /^(\d+)%$/.exec(allowance)?.[1];
  const time = /^(\d+)ms\/(\d+)ms$/.exec(allowance);
  const priority = priorityOf(config, 'limits.cpu.priority');
  if (cpus === undefined && share === undefined && !time && priority === undefined) return undefined;
  return {
    ...(cpus !== undefined && { cpus }),
    ...(share !== undefined && { sharePercent: Number(share) }),
    ...(time && { quota: { timeUs: Number(time[1]) * 1000, periodUs: Number(time[2]) * 1000 } }),
    ...(priority !== undefined && { priority }),
  };
}

function hugePageLimits(config: ConfigMap): Readonly<Record<string, number>> {
  const limits: Record<string, number> = {};
  for (const size of hugePageSizes) {
    const bytes = parseSize(config[`limits.hugepages.${size}`] ?? '');
    if (bytes !== undefined) limits[size] = bytes;
  }
  return limits;
}

function priorityOf(config: ConfigMap, key: string): number | undefined {
  return config[key] ? Number(config[key]) : undefined;
}

function cpuSet(value: string, host: HostResources, pinned: ReadonlyMap<number, number>): string | undefined {
  if (value === '') return undefined;
  if (!/^\d+$/.test(value)) {
    const online = (parseCpuSet(value) ?? []).filter(cpu => host.cpus.includes(cpu));
    return online.length === 0 ? undefined : formatCpuSet(online);
  }
  const count = Number(value);
  if (count === 0 || count >= host.cpus.length) return undefined;
  const used = (cpu: number): number => pinned.get(cpu) ?? 0;
  const least = [...host.cpus].sort((a, b) => used(a) - used(b) || a - b).slice(0, count);
  return formatCpuSet(least.sort((a, b) => a - b));
}

/** "0-1,3" of 0, 1, 3. */
export function formatCpuSet(cpus: readonly number[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const cpu of cpus) {
    const open = ranges.at(-1);
    if (open?.last === cpu - 1) open.last = cpu;
    else ranges.push({ first: cpu, last: cpu });
  }
  return ranges
    .map(({ first, last }) => (first === last ? String(first) : `${String(first)}-${String(last)}`))
    .join(',');
}

function onlineCpus(): readonly number[] {
  try {
    const online = parseCpuSet(readFileSync('/sys/devices/system/cpu/online', 'utf8').trim());
    if (online && online.length > 0) return online;
  } catch {
    // without sysfs the number of CPUs is all there is
  }
  return os.cpus().map((_cpu, number) => number);
}
