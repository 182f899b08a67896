import { architectureName } from '#base/architectures.ts';
import type { IdRangeEntry } from '#protocol/messages.ts';
import { type NamedLine, nameKeys } from './key-names.ts';
import { mapIds } from './map-ids.ts';
import { mapLimits } from './map-limits.ts';
import { mapMount, type MountContext } from './map-mounts.ts';
import { mapNetworks, type NetworkContext } from './map-networks.ts';
import { Mapping } from './mapping.ts';
import type { ConfigLine } from './read-config.ts';

export interface MapContext extends NetworkContext, Omit<MountContext, 'wasPrivileged' | 'roots'> {
  /** lines of a file that "lxc.mount.fstab" names; undefined when it cannot be read */
  readonly fstab: (file: string) => readonly string[] | undefined;
}

/** What a container of LXC will be here. */
export interface MappedContainer extends Mapping {
  /** value of lxc.rootfs.path */
  readonly rootfs: string | undefined;
  /** how its ids are shifted on disk; empty when they are not */
  readonly idmap: readonly IdRangeEntry[];
}

/** Maps the settings of a container of LXC, each with an account of what became of it. */
export function mapLxcConfig(given: readonly ConfigLine[], context: MapContext): MappedContainer {
  const lines = nameKeys(given);
  const mapping = new Mapping();
  const named = (test: RegExp): readonly NamedLine[] => lines.filter(({ name }) => test.test(name));
  const last = (name: string): string | undefined => lines.findLast(line => line.name === name)?.value;
  const idmap = mapIds(mapping, named(/^lxc\.idmap$/));
  mapNetworks(mapping, named(/^lxc\.net\./), context);
  mapLimits(mapping, named(/^lxc\.cgroup2?\./));
  const rootfs = last('lxc.rootfs.path');
  const mounts = {
    ...context,
    wasPrivileged: idmap.length === 0,
    roots: [rootfs?.replace(/^[a-z]+:(?=\/)/, ''), last('lxc.rootfs.mount'), ...usualRoots].filter(isPath),
  };
  for (const line of lines) mapLine(mapping, line, mounts);
  const order = new Map(given.map(({ at }, index) => [at, index]));
  mapping.lines.sort((one, other) => (order.get(one.at) ?? 0) - (order.get(other.at) ?? 0));
  return Object.assign(mapping, { rootfs, idmap });
}

/** Where liblxc mounts the root of a container when nothing else is said. */
const usualRoots = ['x86_64', 'aarch64', 'i386', 'arm']
  .map(machine => `/usr/lib/${machine}-linux-gnu${machine === 'arm' ? 'eabihf' : ''}/lxc/rootfs`)
  .concat('/usr/lib/lxc/rootfs');

function isPath(path: string | undefined): path is string {
  return path !== undefined && path.startsWith('/') && path !== '/';
}

function mapLine(mapping: Mapping, line: NamedLine, context: MapContext & MountContext): void {
  const { name, value } = line;
  if (/^lxc\.(net|cgroup2?)\.|^lxc\.idmap$/.test(name)) return;
  const exact = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
  if (exact) return exact(mapping, line, context);
  const [, family = '', rest = ''] = /^lxc\.([a-z]+)\.(.+)$/.exec(name) ?? [];
  if (family === 'prlimit') return mapPrlimit(mapping, line, rest);
  if (family === 'sysctl') return mapping.set(line, `linux.sysctl.${rest}`, value);
  const reason = Object.hasOwn(reasons, name) ? reasons[name] : reasons[`lxc.${family}.*`];
  mapping.drop(line, reason ?? 'not known here');
}

type Handler = (mapping: Mapping, line: NamedLine, context: MapContext & MountContext) => void;

const handlers: Readonly<Record<string, Handler>> = {
  'lxc.include': (mapping, line) => {
    if (line.value.endsWith('/nesting.conf')) mapping.set(line, 'security.nesting', 'true');
    else mapping.drop(line, "the daemon's defaults take its place");
  },
  'lxc.apparmor.allow_nesting': (mapping, line) => {
    if (line.value === '1') mapping.set(line, 'security.nesting', 'true');
    else mapping.drop(line, 'it is off unless set');
  },
  'lxc.arch': (mapping, line) => {
    mapping.architecture = architectureName(line.value) ?? mapping.architecture;
    if (mapping.architecture) mapping.take(line, `architecture ${mapping.architecture}`);
    else mapping.drop(line, 'its programs tell the architecture');
  },
  'lxc.environment': (mapping, line) => {
    const [, key = '', value = ''] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line.value) ?? [];
    if (key === '') mapping.drop(line, 'the value of the host is not taken along');
    else mapping.set(line, `environment.${key}`, value);
  },
  'lxc.ephemeral': (mapping, line) => {
    mapping.ephemeral = line.value === '1';
    mapping.take(line, mapping.ephemeral ? 'ephemeral' : 'not ephemeral');
  },
  'lxc.mount.entry': (mapping, line, context) => mapMount(mapping, line, line.value, context),
  'lxc.mount.fstab': (mapping, line, context) => {
    const entries = context.fstab(line.value);
    if (!entries) return mapping.drop(line, `"${line.value}" cannot be read`);
    mapping.take(line, 'line by line below');
    for (const entry of entries) mapMount(mapping, { ...line, key: line.value, value: entry }, entry, context);
  },
  'lxc.rootfs.path': (mapping, line) => mapping.take(line, 'the root disk'),
  'lxc.start.auto': (mapping, line) => mapping.set(line, 'boot.autostart', String(line.value === '1')),
  'lxc.start.delay': (mapping, line) => setNumber(mapping, line, 'boot.autostart.delay', 1),
  // LXC starts the lowest first, and we the highest.
  'lxc.start.order': (mapping, line) => setNumber(mapping, line, 'boot.autostart.priority', -1),
  'lxc.signal.halt': addRaw,
  'lxc.signal.reboot': addRaw,
  'lxc.init.cmd': addRaw,
};

function setNumber(mapping: Mapping, line: NamedLine, key: string, sign: 1 | -1): void {
  if (/^\d{1,9}$/.test(line.value)) mapping.set(line, key, String(sign * Number(line.value) || 0));
  else mapping.drop(line, 'no number');
}

function mapPrlimit(mapping: Mapping, line: NamedLine, limit: string): void {
  const value = line.value.replace(/\s/g, '');
  if (/^(\d{1,19}|unlimited)(:(\d{1,19}|unlimited))?$/.test(value)) mapping.set(line, `limits.kernel.${limit}`, value);
  else mapping.drop(line, 'no limit');
}

/** What the daemon passes on to liblxc as it is. */
function addRaw(mapping: Mapping, line: NamedLine): void {
  const raw = `${line.name} = ${line.value}`;
  const before = mapping.config['raw.lxc'];
  mapping.config['raw.lxc'] = before === undefined ? raw : `${before}\n${raw}`;
  mapping.take(line, `raw.lxc: ${raw}`);
}

const ownProfile = 'the daemon confines containers itself; "raw.apparmor" and "raw.seccomp" take rules of your own';
const ownCaps = 'root of a container is no root of the host here; "raw.lxc" takes it if it must be';
const own = 'the daemon sees to it';

/** Why a setting is not taken over, by key or family. */
const reasons: Readonly<Record<string, string>> = {
  'lxc.apparmor.*': ownProfile,
  'lxc.seccomp.*': ownProfile,
  'lxc.selinux.*': 'the daemon does not use SELinux',
  'lxc.cap.*': ownCaps,
  'lxc.no_new_privs': ownCaps,
  'lxc.hook.*': 'it would run as root of the host',
  'lxc.group': 'there are no groups of containers: use profiles or projects',
  'lxc.monitor.*': own,
  'lxc.console.*': own,
  'lxc.log.*': own,
  'lxc.tty.*': own,
  'lxc.pty.*': own,
  'lxc.mount.auto': own,
  'lxc.autodev': own,
  'lxc.kmsg': own,
  'lxc.rootfs.*': own,
  'lxc.uts.name': 'the host name is the name of the instance',
  'lxc.namespace.*': 'a container has all its namespaces here',
  'lxc.proc.*': 'use "limits.kernel.*" or "raw.lxc"',
  'lxc.signal.*': own,
  'lxc.init.*': 'init runs as root of the container',
  'lxc.execute.*': 'only whole systems run here',
  'lxc.keyring.*': own,
};
