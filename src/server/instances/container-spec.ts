import { existsSync } from 'node:fs';
import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { effectiveBoolean } from '#base/config-schema.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import type { RuntimePart } from '../devices/device.ts';
import { containerId } from '../paths.ts';
import type { ContainerMount, ContainerSpec, Idmap, ResourceLimits } from '../runtime/runtime.ts';
import { instanceKeys } from './config-keys.ts';
import { byPlace } from './instance-devices.ts';
import { nvidiaLines } from './nvidia.ts';
import { intercepts, seccompPolicy } from './syscall-keys.ts';

interface Parts {
  readonly record: Pick<InstanceRecord, 'project' | 'name' | 'architecture'>;
  /** expanded */
  readonly config: ConfigMap;
  /** top folder of the root volume */
  readonly volumeFolder: string;
  readonly idmap: Idmap | undefined;
  /** ids on disk are the host's */
  readonly hostIds: boolean;
  readonly devices: readonly RuntimePart[];
  readonly limits: ResourceLimits;
  /** folder of the guests' socket */
  readonly guestApi: string;
  /** the state of its processes can be kept */
  readonly checkpointable: boolean;
  /** folder with the state that it goes on from */
  readonly state: string | undefined;
}

/** All that the runtime needs to start an instance. */
export function containerSpec(parts: Parts): ContainerSpec {
  const { record, config, volumeFolder, idmap, hostIds, devices, limits, guestApi, checkpointable, state } = parts;
  const seccomp = seccompPolicy(config);
  return {
    id: containerId(record.project, record.name),
    hostName: record.name,
    architecture: record.architecture,
    rootfs: path.join(volumeFolder, 'rootfs'),
    idmap,
    hostIds,
    mounts: [...guestApiMounts(config, guestApi), ...byPlace(devices.flatMap(part => part.mounts))],
    nics: devices.flatMap(part => part.nics),
    environment: withPrefix(config, 'environment.'),
    limits,
    nesting: effectiveBoolean(instanceKeys, config, 'security.nesting'),
    ...(config['raw.apparmor'] && { rawApparmor: config['raw.apparmor'] }),
    ...(seccomp !== undefined && { seccompPolicy: seccomp }),
    intercepts: intercepts(config),
    rawConfig: rawConfig(
      config,
      devices.some(part => part.nics.length > 0),
    ),
    checkpointable,
    ...(state !== undefined && { state }),
  };
}

/** The guest's way to ask about itself, unless security.devlxd says no. */
export function guestApiMounts(config: ConfigMap, folder: string): readonly ContainerMount[] {
  if (!effectiveBoolean(instanceKeys, config, 'security.devlxd')) return [];
  return [{ source: folder, target: '/dev/lxd', kind: 'directory' }];
}

/** liblxc lines for keys that map one to one, and those of raw.lxc after them so that they win. */
function rawConfig(config: ConfigMap, hasNics: boolean): string {
  const lines = hasNics ? announcing() : [];
  const limits = Object.entries(withPrefix(config, 'limits.kernel.')).map(
    ([name, value]) => `lxc.prlimit.${name} = ${value}`,
  );
  lines.push(...limits);
  for (const [name, value] of Object.entries(withPrefix(config, 'linux.sysctl.')))
    lines.push(`lxc.sysctl.${name} = ${value}`);
  const raw = config['raw.lxc']?.trim();
  return [...lines, ...nvidiaLines(config), ...(raw ? [raw] : [])].join('\n');
}

/**
 * Lets the kernel announce addresses by itself when an interface comes up (gratuitous ARP, unsolicited neighbour
 * advertisements): switches and neighbours learn where an instance is that came from another host with its addresses.
 */
function announcing(): string[] {
  const lines = ['lxc.sysctl.net.ipv4.conf.all.arp_notify = 1'];
  if (existsSync('/proc/sys/net/ipv6')) lines.push('lxc.sysctl.net.ipv6.conf.all.ndisc_notify = 1');
  return lines;
}

function withPrefix(config: ConfigMap, prefix: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) =>
      key.startsWith(prefix) && value !== '' ? [[key.slice(prefix.length), value] as const] : [],
    ),
  );
}
