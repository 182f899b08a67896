import { shellWord } from '#base/shell-word.ts';
import { consoleDevice, deviceRule, usualDevices } from './device-rules.ts';
import { idmapLines } from './idmap.ts';
import type { CgroupValue } from './limits.ts';
import type { ContainerMount, ContainerNic, ContainerSpec } from './runtime.ts';

/** What a container's configuration needs beside its spec. */
export interface ConfigContext {
  /** begins the names of our cgroups, so that they meet nobody else's */
  readonly brand: string;
  readonly logFile: string;
  readonly consoleFile: string;
  readonly seccompPolicy: string;
  /** socket of the process that decides about intercepted system calls */
  readonly interceptor?: string;
  /** name of a loaded profile, or "unconfined" */
  readonly apparmorProfile: string;
  /** words of the command that liblxc runs when all of the container is gone */
  readonly postStopHook: readonly string[];
  /** all controllers are in the v2 hierarchy */
  readonly unifiedCgroups: boolean;
  readonly limits: readonly CgroupValue[];
  /** tells whether a path is there on the host */
  readonly exists: (path: string) => boolean;
}

/** Host paths that guests expect to see; without them systemd reports failed mounts and is "degraded". */
const hostPaths = [
  ['/dev/fuse', 'bind,create=file'],
  ['/dev/net/tun', 'bind,create=file'],
  ['/proc/sys/fs/binfmt_misc', 'rbind,create=dir'],
  ['/sys/fs/fuse/connections', 'rbind,create=dir'],
  ['/sys/fs/pstore', 'rbind,create=dir'],
  ['/sys/kernel/debug', 'rbind,create=dir'],
  ['/sys/kernel/security', 'rbind,create=dir'],
  ['/sys/kernel/tracing', 'rbind,create=dir'],
] as const;

/** What root of a privileged container could hurt the host with. */
const droppedCapabilities = 'sys_time sys_module sys_rawio mac_admin mac_override';

/** A container as liblxc reads it (lxc.container.conf(5)). Throws on control characters in any value. */
export function renderConfig(spec: ContainerSpec, context: ConfigContext): string {
  const lines: string[] = [];
  const set = (key: string, value: string | number): void => void lines.push(`${key} = ${checked(key, String(value))}`);
  set('lxc.log.file', context.logFile);
  set('lxc.log.level', 'warn');
  for (const [key, value] of consoleKeys(spec, context)) set(key, value);
  set('lxc.mount.auto', automaticMounts(spec, context));
  set('lxc.autodev', 1);
  set('lxc.pty.max', 1024);
  set('lxc.tty.max', 0);
  set('lxc.uts.name', spec.hostName);
  set('lxc.arch', spec.architecture);
  set('lxc.apparmor.profile', context.apparmorProfile);
  set('lxc.seccomp.profile', context.seccompPolicy);
  if (context.interceptor !== undefined) set('lxc.seccomp.notify.proxy', `unix:${context.interceptor}`);
  if (spec.idmap) {
    for (const kind of ['uid', 'gid'] as const) {
      for (const { nsId, hostId, size } of idmapLines(spec.idmap, kind))
        set('lxc.idmap', [kind[0], nsId, hostId, size].map(String).join(' '));
    }
  } else {
    set('lxc.cap.drop', droppedCapabilities);
  }
  for (const kind of ['monitor', 'container', 'monitor.pivot'] as const) {
    set(`lxc.cgroup.dir.${kind}`, cgroupName(context.brand, kind, spec.id));
  }
  for (const { version, file, value } of context.limits) set(`lxc.cgroup${version === 2 ? '2' : ''}.${file}`, value);
  for (const [key, value] of deviceRules(spec, context)) set(key, value);
  set('lxc.hook.version', 1);
  // liblxc runs it through a shell.
  set('lxc.hook.post-stop', context.postStopHook.map(quote).join(' '));
  set('lxc.rootfs.path', `dir:${spec.rootfs}`);
  if (spec.idmap && !spec.hostIds) set('lxc.rootfs.options', 'idmap=container');
  for (const entry of mountEntries(spec, context)) set('lxc.mount.entry', entry);
  for (const [name, value] of Object.entries(spec.environment)) set('lxc.environment', `${name}=${value}`);
  for (const [key, value] of nicKeys(spec.nics)) set(key, value);
  return `${[...lines, ...rawLines(spec.rawConfig)].join('\n')}\n`;
}

/** Names of a container's cgroups: of its supervising process, its own, and where liblxc parks itself while it cleans up. */
export function cgroupName(brand: string, kind: 'monitor' | 'container' | 'monitor.pivot', id: string): string {
  return { monitor: `${brand}.monitor.${id}`, container: `${brand}.payload.${id}`, 'monitor.pivot': `${brand}.pivot` }[
    kind
  ];
}

/** liblxc makes a console's terminal within the container, and has none to give when it is restored. */
function consoleKeys(spec: ContainerSpec, context: ConfigContext): readonly (readonly [string, string])[] {
  if (spec.checkpointable) return [['lxc.console.path', 'none']];
  return [
    ['lxc.console.buffer.size', 'auto'],
    ['lxc.console.size', 'auto'],
    ['lxc.console.rotate', '1'],
    ['lxc.console.logfile', context.consoleFile],
  ];
}

function automaticMounts(spec: ContainerSpec, context: ConfigContext): string {
  const cgroup = context.unifiedCgroups ? 'cgroup:rw:force' : 'cgroup:mixed';
  // Root of an unprivileged container owns nothing of the host's there, and its own sysctls should be writable.
  return spec.idmap ? `proc:rw sys:rw ${cgroup}` : `proc:mixed sys:mixed ${cgroup}`;
}

/**
 * Devices that the container may use. Without an id map its root could make the node of any disk. In cgroup v2 the rules
 * are a program that only liblxc changes, so containers with an id map, which cannot make nodes, go without: what is
 * plugged in later then works. Those whose nodes the host makes may have one of its console, and not open it.
 */
function* deviceRules(spec: ContainerSpec, context: ConfigContext): Generator<[string, string]> {
  const key = context.unifiedCgroups ? 'lxc.cgroup2.devices' : 'lxc.cgroup.devices';
  const makesNodes = spec.intercepts?.includes('mknod');
  if (context.unifiedCgroups && spec.idmap) {
    if (!makesNodes) return;
    yield [`${key}.allow`, 'a'];
    yield [`${key}.deny`, consoleDevice];
    return;
  }
  yield [`${key}.deny`, 'a'];
  const own = spec.mounts.flatMap(({ device }) => (device ? [deviceRule(device)] : []));
  const usual = usualDevices.filter(rule => !makesNodes || rule !== consoleDevice);
  for (const rule of [...usual, ...own]) yield [`${key}.allow`, rule];
}

function* mountEntries(spec: ContainerSpec, context: ConfigContext): Generator<string> {
  for (const [path, options] of hostPaths) {
    if (context.exists(path)) yield `${path} ${path.slice(1)} none ${options},optional 0 0`;
  }
  if (spec.nesting) {
    // The kernel lets a user namespace mount proc and sys only where it can see a whole one already.
    yield 'proc dev/.lxc/proc proc create=dir,optional 0 0';
    yield 'sys dev/.lxc/sys sysfs create=dir,optional 0 0';
  }
  for (const mount of spec.mounts) yield mountEntry(mount, spec);
}

function mountEntry(mount: ContainerMount, { idmap, checkpointable }: ContainerSpec): string {
  const options = [
    mount.recursive ? 'rbind' : 'bind',
    `create=${mount.kind === 'file' ? 'file' : 'dir'}`,
    mount.readOnly && 'ro',
    mount.optional && 'optional',
    mount.idmapped && idmap && 'idmap=container',
    // CRIU cannot make a mount the slave of one that is gone: those at start are of a moment.
    mount.propagation ?? (checkpointable && 'private'),
    ...(mount.options ?? []),
  ];
  const target = mount.target.replace(/^\/+/, '');
  return `${escapePath(mount.source)} ${escapePath(target)} none ${options.filter(Boolean).join(',')} 0 0`;
}

function* nicKeys(nics: readonly ContainerNic[]): Generator<[string, string]> {
  // Without any, the container would see the host's own network.
  if (nics.length === 0) yield ['lxc.net.0.type', 'empty'];
  for (const [index, nic] of nics.entries()) {
    const key = `lxc.net.${String(index)}`;
    yield* linkKeys(key, nic);
    yield [`${key}.name`, nic.name];
    if (nic.hardwareAddress !== undefined) yield [`${key}.hwaddr`, nic.hardwareAddress];
    if (nic.mtu !== undefined) yield [`${key}.mtu`, String(nic.mtu)];
    for (const address of nic.addresses ?? []) yield [`${key}.${familyOf(address)}.address`, address];
    for (const gateway of nic.gateways ?? []) yield [`${key}.${familyOf(gateway)}.gateway`, gateway];
    yield [`${key}.flags`, 'up'];
  }
}

function* linkKeys(key: string, nic: ContainerNic): Generator<[string, string]> {
  yield [`${key}.type`, nic.kind === 'physical' ? 'phys' : nic.kind];
  switch (nic.kind) {
    case 'veth':
      if (nic.bridge !== undefined) yield [`${key}.link`, nic.bridge];
      yield [`${key}.veth.pair`, nic.hostName];
      break;
    case 'macvlan':
      yield [`${key}.link`, nic.parent ?? ''];
      yield [`${key}.macvlan.mode`, 'bridge'];
      break;
    case 'physical':
      yield [`${key}.link`, nic.hostName];
      break;
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

function rawLines(raw: string): string[] {
  const lines = raw.split(/\r?\n/).filter(line => line.trim() !== '');
  return lines.map(line => checked('raw.lxc', line.replaceAll('\t', ' ')));
}

function checked(key: string, value: string): string {
  // liblxc reads line by line, so a line break would begin a key of the user's choosing.
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(value)) throw new Error(`The value of ${key} holds a control character`);
  return value;
}

/** As in fstab(5). */
function escapePath(path: string): string {
  return path.replace(/[\\ ]/g, character => (character === ' ' ? '\\040' : '\\134'));
}

function quote(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : shellWord(word);
}
