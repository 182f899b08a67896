import path from 'node:path';
import type { ConfigMap, DeviceMap, DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { effective, effectiveBoolean, parseBoolean } from '#base/config-schema.ts';
import { projectKeys, splitList } from './config-keys.ts';
import { holdsRange, parseIdRanges, parseRawIdmap } from './id-ranges.ts';
import { networkAllowed } from './network-allowed.ts';
import type { ProjectContent } from './project-content.ts';

/** What is checked: a container with its config in force, or a profile that may yet become part of one. */
interface Subject {
  readonly kind: 'container' | 'profile';
  readonly name: string;
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
}

/** Throws "permission-denied" for the first thing in a restricted project that its keys forbid; in LXD's words. */
export function checkRestrictions({ project, instances, profiles }: ProjectContent): void {
  if (!effectiveBoolean(projectKeys, project.config, 'restricted')) return;
  const subjects: readonly Subject[] = [
    ...instances.map(instance => ({ kind: 'container' as const, ...instance })),
    ...profiles.map(({ name, config, devices }) => ({ kind: 'profile' as const, name, config, devices })),
  ];
  for (const subject of subjects) {
    const of = `on ${subject.kind} "${subject.name}" of project "${project.name}"`;
    const problem = configProblem(project.config, subject, of) ?? devicesProblem(project.config, subject, of);
    if (problem !== undefined) throw new ApiError('permission-denied', problem);
  }
}

/** True when a restriction has one of the values that let the thing be. */
function allows(project: ConfigMap, restriction: string, ...values: readonly string[]): boolean {
  return values.includes(effective(projectKeys, project, `restricted.${restriction}`) ?? '');
}

function configProblem(project: ConfigMap, subject: Subject, of: string): string | undefined {
  for (const [key, value] of Object.entries(subject.config)) {
    if (value === '' || key.startsWith('volatile.')) continue;
    if (isLowLevel(key) && !allows(project, 'containers.lowlevel', 'allow'))
      return `Use of low-level config "${key}" ${of} is forbidden`;
    const reason = valueProblem(project, key, value);
    if (reason !== undefined) return `Invalid value "${value}" for config "${key}" ${of}: ${reason}`;
  }
  return isolationProblem(project, subject, of) ?? rawIdmapProblem(project, subject.config['raw.idmap'], of);
}

function valueProblem(project: ConfigMap, key: string, value: string): string | undefined {
  const isOn = parseBoolean(value) ?? true;
  if (!isOn) return undefined;
  if (key === 'security.nesting' && !allows(project, 'containers.nesting', 'allow'))
    return 'Container nesting is forbidden';
  if (key === 'security.privileged' && !allows(project, 'containers.privilege', 'allow'))
    return 'Privileged containers are forbidden';
  if (interceptions.includes(key) && !allows(project, 'containers.interception', 'allow', 'full'))
    return 'Container syscall interception is forbidden';
  return undefined;
}

/** A container that does not say "isolated" is not; a profile may leave it to others. */
function isolationProblem(project: ConfigMap, { kind, config }: Subject, of: string): string | undefined {
  if (!allows(project, 'containers.privilege', 'isolated')) return undefined;
  const key = 'security.idmap.isolated';
  const value = config[key] ?? (kind === 'profile' ? 'true' : 'false');
  if (parseBoolean(value)) return undefined;
  return `Invalid value "${value}" for config "${key}" ${of}: Non-isolated containers are forbidden`;
}

/** Interceptions that "restricted.containers.interception" is about; the others are low-level. */
const interceptions = ['bpf', 'bpf.devices', 'mknod', 'mount', 'mount.fuse', 'setxattr'].map(
  call => `security.syscalls.intercept.${call}`,
);

const lowLevelKeys = [
  'boot.host_shutdown_timeout',
  'linux.kernel_modules',
  'security.devlxd.images',
  'security.idmap.base',
  'security.idmap.size',
];

function isLowLevel(key: string): boolean {
  if (key.startsWith('security.syscalls.intercept.')) return !interceptions.includes(key);
  if (key.startsWith('raw.')) return key !== 'raw.idmap'; // checked line by line
  return lowLevelKeys.includes(key);
}

function rawIdmapProblem(project: ConfigMap, text: string | undefined, of: string): string | undefined {
  if (!text || allows(project, 'containers.lowlevel', 'allow')) return undefined;
  const ranges = (kind: 'uid' | 'gid'): ReturnType<typeof parseIdRanges> =>
    parseIdRanges(project[`restricted.idmap.${kind}`] ?? '');
  for (const [index, line] of parseRawIdmap(text).entries()) {
    const kinds =
      line?.kind === 'both'
        ? (['uid', 'gid'] as const)
        : line?.kind === 'gid'
          ? (['gid'] as const)
          : (['uid'] as const);
    if (line && kinds.every(kind => holdsRange(ranges(kind) ?? [], line.host))) continue;
    return `Use of low-level "raw.idmap" element ${String(index)} ${of} is forbidden`;
  }
  return undefined;
}

function devicesProblem(project: ConfigMap, { devices }: Subject, of: string): string | undefined {
  for (const [name, options] of Object.entries(devices)) {
    const reason = deviceProblem(project, options);
    if (reason !== undefined) return `Invalid device "${name}" ${of}: ${reason}`;
  }
  return undefined;
}

/** Devices that are either allowed or not. */
const plainDevices: Readonly<Record<string, string>> = {
  gpu: 'GPU',
  infiniband: 'Infiniband',
  pci: 'PCI',
  proxy: 'Proxy',
  'unix-block': 'Unix block',
  'unix-char': 'Unix character',
  'unix-hotplug': 'Unix hotplug',
  usb: 'USB',
};

function deviceProblem(project: ConfigMap, options: DeviceMap): string | undefined {
  const type = options['type'] ?? '';
  switch (type) {
    case 'none':
    case 'tpm':
      return undefined;
    case 'disk':
      return diskProblem(project, options);
    case 'nic':
      return nicProblem(project, options);
    default:
      return allows(project, `devices.${type}`, 'allow')
        ? undefined
        : `${plainDevices[type] ?? type} devices are forbidden`;
  }
}

function diskProblem(project: ConfigMap, options: DeviceMap): string | undefined {
  const pool = options['pool'] ?? '';
  if (pool !== '' && options['path'] === '/') return undefined;
  if (allows(project, 'devices.disk', 'block')) return 'Disk devices are forbidden';
  if (pool !== '') return undefined;
  if (!allows(project, 'devices.disk', 'allow')) return 'Attaching disks not backed by a pool is forbidden';
  const source = options['source'] ?? '';
  return sourceAllowed(project, source) ? undefined : `Disk source path "${source}" not allowed`;
}

/** Folders of the host that disks of a restricted project must lie below; empty when there is no such rule. */
export function diskFolders(project: ConfigMap): readonly string[] {
  if (parseBoolean(project['restricted'] ?? 'false') !== true) return [];
  return splitList(project['restricted.devices.disk.paths'] ?? '');
}

/** Whether "restricted.devices.disk.paths" lets a disk come from this path of the host, as far as its text goes. */
export function sourceAllowed(project: ConfigMap, source: string): boolean {
  const folders = splitList(project['restricted.devices.disk.paths'] ?? '');
  if (folders.length === 0) return true;
  const wanted = path.posix.resolve('/', source);
  return folders.map(folder => path.posix.resolve('/', folder)).some(folder => isBeneath(folder, wanted));
}

function isBeneath(folder: string, file: string): boolean {
  return folder === '/' || file === folder || file.startsWith(`${folder}/`);
}

function nicProblem(project: ConfigMap, options: DeviceMap): string | undefined {
  if (allows(project, 'devices.nic', 'block')) return 'Network devices are forbidden';
  const network = options['network'] ?? '';
  if (network === '' && !allows(project, 'devices.nic', 'allow')) return 'Only managed network devices are allowed';
  const link = network || (options['parent'] ?? '');
  return link === '' || networkAllowed(project, link, network !== '') ? undefined : 'Network not allowed in project';
}
