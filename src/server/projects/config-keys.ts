import { isIP } from 'node:net';
import type { ConfigMap } from '#api/common.ts';
import { invalid } from '#api/error.ts';
import { defineKeys, effectiveBoolean, type KeyRule, type KeyTable, valueProblem } from '#base/config-schema.ts';
import { parseIdRanges } from './id-ranges.ts';

const feature = (kind: string): KeyRule => ({
  type: 'boolean',
  summary: `Whether the project has ${kind} of its own; otherwise it uses those of project "default"`,
});

const count = (what: string): KeyRule => ({ type: 'integer', min: 0, max: 2 ** 32 - 1, summary: `Most ${what}` });
const size = (what: string): KeyRule => ({ type: 'size', summary: `Most bytes of ${what}` });

/** A restriction; it holds only in a project with `restricted`, and its default is the strictest that works. */
const restriction = (what: string, values: readonly string[], strict = 'block'): KeyRule => ({
  type: 'enum',
  values,
  default: strict,
  summary: `Whether ${what} may be used`,
});

const onOff = ['block', 'allow'];
const managed = ['block', 'allow', 'managed'];

const list = (summary: string, check?: (entry: string) => string | undefined): KeyRule => ({
  type: 'string',
  summary,
  ...(check && {
    check: value => {
      for (const entry of splitList(value)) {
        const problem = check(entry);
        if (problem !== undefined) return `holds "${entry}", which ${problem}`;
      }
      return undefined;
    },
  }),
});

const idRanges = (kind: string): KeyRule =>
  list(`Host ${kind}s that "raw.idmap" may name, such as "1000,2000-2999"`, entry =>
    parseIdRanges(entry) === undefined ? 'is no number and no range of numbers' : undefined,
  );

export const compressionProblem = (value: string): string | undefined =>
  /^(none|bzip2|gzip|lz4|lzma|xz|zstd)( -[0-9]{1,2}| -?-[a-z]+(=[0-9]{1,2})?)*$/.test(value)
    ? undefined
    : 'must be none, bzip2, gzip, lz4, lzma, xz or zstd, with options such as "-9"';

const compression: KeyRule = { type: 'string', summary: 'Program that packs it', check: compressionProblem };

export const projectKeys = defineKeys({
  'backups.compression_algorithm': compression,
  'features.images': feature('images'),
  'features.networks': feature('networks'),
  'features.profiles': feature('profiles'),
  'features.storage.volumes': feature('custom volumes'),
  'images.auto_update_cached': { type: 'boolean', summary: 'Whether images from elsewhere are kept up to date' },
  'images.auto_update_interval': { type: 'integer', min: 0, summary: 'Hours between looks for newer images' },
  'images.compression_algorithm': compression,
  'images.default_architecture': {
    type: 'enum',
    values: ['x86_64', 'i686', 'aarch64', 'armv6l', 'armv7l', 'armv8l', 'ppc', 'ppc64', 'ppc64le', 's390x'].concat([
      'mips',
      'mips64',
      'riscv32',
      'riscv64',
    ]),
    summary: 'Architecture that is taken where several are there',
  },
  'images.remote_cache_expiry': { type: 'integer', min: 0, summary: 'Days that an unused image from elsewhere stays' },
  'limits.containers': count('containers'),
  'limits.cpu': count('CPUs, all "limits.cpu" of its instances together'),
  'limits.disk': size('root disks and custom volumes together'),
  'limits.instances': count('instances'),
  'limits.memory': size('memory, all "limits.memory" of its instances together'),
  'limits.networks': count('networks'),
  'limits.processes': count('processes, all "limits.processes" of its instances together'),
  'limits.virtual-machines': count('virtual machines'),
  restricted: { type: 'boolean', summary: 'Whether the "restricted.*" keys hold' },
  'restricted.backups': restriction('backups', onOff),
  'restricted.cluster.groups': list('Cluster groups that instances may be placed in'),
  'restricted.cluster.target': restriction('"--target"', onOff),
  'restricted.containers.interception': restriction('interception of system calls', ['block', 'allow', 'full']),
  'restricted.containers.lowlevel': restriction('low-level options such as "raw.lxc"', onOff),
  'restricted.containers.nesting': restriction('"security.nesting"', onOff),
  'restricted.containers.privilege': {
    type: 'enum',
    values: ['allow', 'unprivileged', 'isolated'],
    default: 'unprivileged',
    summary: 'Whether containers may be privileged, or must have ids that no other has',
  },
  'restricted.devices.disk': restriction('disks that no pool holds', managed, 'managed'),
  'restricted.devices.disk.paths': list('Folders of the host that disks may come from', entry =>
    entry.startsWith('/') ? undefined : 'is no absolute path',
  ),
  'restricted.devices.gpu': restriction('GPUs', onOff),
  'restricted.devices.infiniband': restriction('InfiniBand devices', onOff),
  'restricted.devices.nic': restriction('NICs outside managed networks', managed, 'managed'),
  'restricted.devices.pci': restriction('PCI devices', onOff),
  'restricted.devices.proxy': restriction('proxies', onOff),
  'restricted.devices.unix-block': restriction('block devices', onOff),
  'restricted.devices.unix-char': restriction('character devices', onOff),
  'restricted.devices.unix-hotplug': restriction('hot-plugged devices', onOff),
  'restricted.devices.usb': restriction('USB devices', onOff),
  'restricted.idmap.gid': idRanges('gid'),
  'restricted.idmap.uid': idRanges('uid'),
  'restricted.networks.access': list('Networks that may be used; all when not set'),
  'restricted.networks.subnets': list('Subnets of uplink networks, as UPLINK:SUBNET', subnetProblem),
  'restricted.networks.uplinks': list('Networks that may be uplinks'),
  'restricted.networks.zones': list('DNS zones that networks may name'),
  'restricted.snapshots': restriction('snapshots', onOff),
  'restricted.virtual-machines.lowlevel': restriction('low-level options of virtual machines', onOff),
  'user.*': { type: 'text', summary: 'Free for users' },
} satisfies KeyTable);

/** Features that a new project has unless its config says otherwise. */
const newFeatures = ['features.images', 'features.profiles', 'features.storage.volumes'];

export function withNewFeatures(config: ConfigMap): ConfigMap {
  return { ...Object.fromEntries(newFeatures.map(key => [key, 'true'])), ...withoutEmpty(config) };
}

/** Throws "invalid-argument" naming the key. */
export function checkProjectConfig(config: ConfigMap): void {
  for (const [key, value] of Object.entries(config)) {
    const problem = valueProblem(projectKeys, key, value);
    if (problem !== undefined) throw invalid(`config.${key}`, problem);
  }
  const on = (key: string): boolean => effectiveBoolean(projectKeys, config, key);
  if (on('restricted') && !on('features.profiles'))
    throw invalid('config.restricted', 'projects without their own profiles cannot be restricted');
}

export function withoutEmpty(config: ConfigMap): ConfigMap {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== ''));
}

/** Entries of a comma-separated value. */
export function splitList(value: string): readonly string[] {
  return value
    .split(',')
    .map(entry => entry.trim())
    .filter(entry => entry !== '');
}

function subnetProblem(entry: string): string | undefined {
  const [, address = '', length = ''] = /^[^:/]+:([0-9A-Fa-f.:]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(length) <= (family === 4 ? 32 : 128) ? undefined : 'is not of the form UPLINK:SUBNET';
}
