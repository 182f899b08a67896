import type { MachineFacts, MachineMount } from './machine-facts.ts';

/** Something of a machine that does not come along. */
export interface LeftOut {
  /** pattern for rsync(1), from the root of the machine */
  readonly pattern: string;
  readonly what: string;
  readonly reason: string;
}

/** Folders that the kernel fills, whether or not they are mounted. */
const kernelFolders = ['/proc', '/sys', '/dev', '/run'];

/** File systems in memory or of the kernel: nothing of them is on a disk. */
const virtual =
  /^(tmpfs|ramfs|proc|sysfs|devtmpfs|devpts|mqueue|cgroup2?|debugfs|tracefs|securityfs|pstore|fusectl|configfs|bpf|efivarfs|hugetlbfs|binfmt_misc|autofs|rpc_pipefs|nsfs|fuse\.(lxcfs|gvfsd-fuse|portal)|overlay|squashfs)$/;

/** What stays behind: other file systems unless `wanted`, swap, and what `excluded` names. */
export function leftOut(
  facts: Pick<MachineFacts, 'mounts' | 'swapFiles'>,
  wanted: readonly string[],
  excluded: readonly string[],
): readonly LeftOut[] {
  const root = facts.mounts.find(mount => mount.path === '/');
  const kernel = kernelFolders.map(path => contentOf(path, 'the kernel fills it'));
  const mounts = facts.mounts
    .filter(({ path }) => path !== '/' && !kernelFolders.some(one => path === one || path.startsWith(`${one}/`)))
    .filter(mount => !wanted.includes(mount.path) && !isPartOf(mount, root))
    .map(({ path, type, source }) =>
      contentOf(path, virtual.test(type) ? type : `${type} on ${source}: "--mount ${path}" takes it along`),
    );
  const swap = facts.swapFiles.map(path => ({ pattern: literal(path), what: path, reason: 'swap' }));
  const own = excluded.map(pattern => ({ pattern, what: pattern, reason: 'you asked for it' }));
  const found = contentOf('/lost+found', 'of the file system');
  return [...kernel, found, ...mounts, ...swap, ...own];
}

/** Subvolumes of the root file system are mounted one by one and belong to it. */
function isPartOf(mount: MachineMount, root: MachineMount | undefined): boolean {
  return mount.type === 'btrfs' && root?.type === 'btrfs' && mount.source === root.source;
}

/** The folder itself stays, for what is mounted there later. */
function contentOf(path: string, reason: string): LeftOut {
  return { pattern: `${literal(path)}/*`, what: path, reason };
}

/** rsync(1) reads backslashes only in patterns with a wildcard. */
function literal(path: string): string {
  return /[*?[]/.test(path) ? path.replace(/[\\*?[]/g, '\\$&') : path;
}

/** What starts at boot and finds nothing to do, or nothing it may do, in a container. */
const restless: Readonly<Record<string, string>> = {
  auditd: "auditing is the host's",
  chrony: "the clock is the host's",
  chronyd: "the clock is the host's",
  docker: 'set "security.nesting" to true',
  irqbalance: "interrupts are the host's",
  kdump: "the kernel is the host's",
  'kdump-tools': "the kernel is the host's",
  lvm2: "disks are the host's",
  'lvm2-monitor': "disks are the host's",
  mdmonitor: "disks are the host's",
  multipathd: "disks are the host's",
  ntp: "the clock is the host's",
  'open-vm-tools': 'it is no virtual machine any more',
  'qemu-guest-agent': 'it is no virtual machine any more',
  smartd: "disks are the host's",
  smartmontools: "disks are the host's",
  thermald: "temperatures are the host's",
};

/** Services that will not do what they did, each with the reason. */
export function restlessServices(services: readonly string[]): readonly (readonly [service: string, reason: string])[] {
  return services.flatMap(service => {
    const name = service.replace(/\.\w+$/, '');
    return Object.hasOwn(restless, name) ? [[service, restless[name] ?? ''] as const] : [];
  });
}
