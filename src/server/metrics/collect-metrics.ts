import { statfs } from 'node:fs/promises';
import { listInstanceNames } from '../database/instances.ts';
import { containerId } from '../paths.ts';
import type { Services } from '../services.ts';
import { type FileSystemSpace, instanceMetrics, type MeasuredInstance } from './instance-metrics.ts';
import { renderMetrics } from './open-metrics.ts';

type Uses = Pick<Services, 'database' | 'runtime' | 'paths'>;

/** Metrics of the running instances of some projects (undefined = all), as OpenMetrics text. */
export async function collectMetrics(services: Uses, projects: readonly string[] | undefined): Promise<string> {
  const names = await services.database.read(reader => listInstanceNames(reader, undefined));
  const wanted = names.filter(({ project }) => projects?.includes(project) ?? true);
  const measured = await Promise.all(wanted.map(({ project, name }) => measure(services, project, name)));
  return renderMetrics(instanceMetrics(measured.filter(instance => instance !== undefined)));
}

async function measure(services: Uses, project: string, name: string): Promise<MeasuredInstance | undefined> {
  const id = containerId(project, name);
  const counters = services.runtime.counters(id);
  if (!counters) return undefined;
  const rootfs = await spaceOf(services.paths.container(id));
  return { project, name, counters, links: services.runtime.links(id), rootfs };
}

/** Magic numbers of statfs(2). */
const fileSystemTypes: ReadonlyMap<number, string> = new Map([
  [0x9123683e, 'btrfs'],
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x2fc12fc1, 'zfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlay'],
]);

async function spaceOf(folder: string): Promise<FileSystemSpace | undefined> {
  try {
    const { type, bsize, blocks, bfree, bavail } = await statfs(folder);
    const name = fileSystemTypes.get(type) ?? `0x${type.toString(16)}`;
    return { type: name, size: blocks * bsize, free: bfree * bsize, available: bavail * bsize };
  } catch {
    return undefined; // the instance is just being deleted
  }
}
