import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { DeviceMap, DevicesMap } from '#api/common.ts';
import { parseRate, type Rate } from '../devices/disk-rate.ts';
import type { DiskThrottle } from '../runtime/runtime.ts';

/**
 * What the disk devices of an instance limit, by block device of the host: several on one share their average, as in
 * LXD. `rootFolder` is where its root disk lies.
 */
export function diskThrottles(
  devices: DevicesMap,
  rootFolder: string,
  find: (file: string) => string | undefined = blockDeviceOf,
): readonly DiskThrottle[] {
  const rates = new Map<string, DeviceMap[]>();
  for (const options of Object.values(devices)) {
    if (options['type'] !== 'disk' || !hasRate(options)) continue;
    const device = find(options['path'] === '/' ? rootFolder : (options['source'] ?? ''));
    if (device !== undefined) rates.set(device, [...(rates.get(device) ?? []), options]);
  }
  return [...rates].map(([device, options]) => throttleOf(device, options));
}

function throttleOf(device: string, disks: readonly DeviceMap[]): DiskThrottle {
  const average = (key: 'limits.read' | 'limits.write', kind: keyof Rate): number | undefined => {
    const values = disks.flatMap(options => {
      const rate = parseRate(options['limits.max'] || options[key] || '')?.[kind];
      return rate === undefined ? [] : [rate];
    });
    return values.length === 0 ? undefined : Math.round(values.reduce((sum, one) => sum + one, 0) / values.length);
  };
  const [readBytes, readRequests] = [average('limits.read', 'bytes'), average('limits.read', 'requests')];
  const [writeBytes, writeRequests] = [average('limits.write', 'bytes'), average('limits.write', 'requests')];
  return {
    device,
    ...(readBytes !== undefined && { readBytes }),
    ...(readRequests !== undefined && { readRequests }),
    ...(writeBytes !== undefined && { writeBytes }),
    ...(writeRequests !== undefined && { writeRequests }),
  };
}

function hasRate(options: DeviceMap): boolean {
  return ['limits.read', 'limits.write', 'limits.max'].some(key => options[key]);
}

/** Number of the whole disk that a file lies on, such as "8:0"; undefined when no one disk is below it. */
function blockDeviceOf(file: string): string | undefined {
  const entry = statSync(file, { throwIfNoEntry: false });
  if (!entry) return undefined;
  const number = entry.isBlockDevice() ? formatNumber(entry.rdev) : formatNumber(entry.dev);
  // btrfs and the like have numbers of their own, which no disk has.
  const disk = number.startsWith('0:') ? mountSource(file) : number;
  return disk === undefined ? undefined : wholeDisk(disk);
}

function formatNumber(dev: number): string {
  return `${String((dev >> 8) & 0xfff)}:${String((dev & 0xff) | ((dev >> 12) & 0xfff00))}`;
}

/** Number of the block device that the mount point above a file was mounted from (proc(5), mountinfo). */
function mountSource(file: string): string | undefined {
  let best: { readonly point: string; readonly source: string } | undefined;
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = before.split(' ')[4] ?? '';
    const source = after.split(' ')[1] ?? '';
    const holds = point !== '' && (file === point || file.startsWith(point === '/' ? '/' : `${point}/`));
    if (holds && point.length >= (best?.point.length ?? 0)) best = { point, source };
  }
  const entry = best?.source.startsWith('/') ? statSync(best.source, { throwIfNoEntry: false }) : undefined;
  return entry?.isBlockDevice() ? formatNumber(entry.rdev) : undefined;
}

/** cgroups throttle disks, not their partitions. */
function wholeDisk(number: string): string | undefined {
  const folder = `/sys/dev/block/${number}`;
  if (!existsSync(folder)) return undefined;
  if (!existsSync(path.join(folder, 'partition'))) return number;
  return readFileSync(path.join(folder, '../dev'), 'utf8').trim();
}
