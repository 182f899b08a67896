import { randomUUID } from 'node:crypto';
import { type ConfigMap, type DevicesMap, zeroTime } from '#api/common.ts';
import { alreadyExists, ApiError } from '#api/error.ts';
import type { InstancesPost } from '#api/instance.ts';
import { instanceNameProblem } from '#base/names.ts';
import type { Reader } from '#server/database/database.ts';
import { findInstance, getInstance, type InstanceRecord, type NewInstance } from '#server/database/instances.ts';
import { getSnapshot, listSnapshotRows, type NewSnapshot, type SnapshotRecord } from '#server/database/snapshots.ts';
import type { Volume } from '#storage/driver.ts';
import type { Pool } from '#storage/pool.ts';
import { checkAddedDevices, missingVolatile } from '../devices/devices.ts';
import { type ImageRecord, resolveImage } from '../images/resolve-image.ts';
import { checkFreeAddresses } from './check-addresses.ts';
import { checkInstance, type CheckedInstance } from './check-instance.ts';
import { idmapOf, idmapVolatile } from './idmap.ts';
import { randomName } from './random-name.ts';
import { isolatedRanges } from './start-instance.ts';

/** Where the content of a new instance comes from. */
export type Origin =
  | { readonly kind: 'none' }
  | { readonly kind: 'image'; readonly image: ImageRecord }
  /** from another server */
  | { readonly kind: 'received' }
  | {
      readonly kind: 'copy';
      readonly instance: InstanceRecord;
      /** the snapshot that is copied instead of the instance itself */
      readonly snapshot: SnapshotRecord | undefined;
      /** snapshots that come along, oldest first */
      readonly snapshots: readonly SnapshotRecord[];
    }
  | {
      readonly kind: 'import';
      /** snapshots that the content has, oldest first */
      readonly snapshots: readonly Omit<NewSnapshot, 'instanceId'>[];
      /** Makes the root volume with its snapshots; what a failure leaves of it is deleted. */
      readonly restore: (pool: Pool, volume: Volume, signal?: AbortSignal) => Promise<void>;
    };

export interface PlannedInstance {
  readonly row: NewInstance;
  readonly checked: CheckedInstance;
  readonly origin: Origin;
}

interface Template {
  readonly architecture: string;
  readonly profiles: readonly string[];
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
  readonly ephemeral: boolean;
}

/**
 * What a request would make: checked, and nothing written. Throws "invalid-argument", "not-found", "already-exists".
 * Called in the transaction that inserts the row, or in a reading one for a plan.
 */
export async function planInstance(reader: Reader, project: string, request: InstancesPost): Promise<PlannedInstance> {
  if (request.type === 'virtual-machine')
    throw new ApiError('invalid-argument', 'Invalid "type": virtual machines are not supported, only containers');
  if (request.instance_type) throw new ApiError('invalid-argument', 'Invalid "instance_type": is not supported');
  // Clients tell this of the original; its processes stay with it, and a copy begins afresh.
  const isCopy = request.source.type === 'copy' || request.source.type === 'migration';
  if (request.stateful && !isCopy)
    throw new ApiError('invalid-argument', 'Invalid "stateful": a new instance has no state');
  const name = await freeName(reader, project, request.name ?? '');
  const origin = await originOf(reader, project, request);
  const template = templateOf(origin);
  const local = {
    name,
    project,
    description: request.description ?? '',
    profiles: request.profiles ?? template.profiles,
    devices: { ...template.devices, ...request.devices },
    config: { ...template.config, ...withoutVolatile(request.config ?? {}), ...keptVolatile(request.config ?? {}) },
  };
  const checked = await checkInstance(reader, local);
  checkAddedDevices(checked.devices);
  // a copy may be made, and changed before it starts
  if (origin.kind === 'image' || origin.kind === 'none') await checkFreeAddresses(reader, local, checked.devices);
  const now = new Date().toISOString();
  const moved = origin.kind === 'received' ? movedVolatile(request.config ?? {}) : {};
  const config = { ...local.config, ...(await newVolatile(reader, checked)), ...moved };
  const row: NewInstance = {
    ...local,
    config:
      origin.kind === 'none'
        ? config
        : { ...config, 'volatile.apply_template': origin.kind === 'image' ? 'create' : 'copy' },
    architecture: architectureOf(request.architecture || template.architecture),
    ephemeral: request.ephemeral ?? template.ephemeral,
    stateful: false,
    createdAt: now,
    lastUsedAt: zeroTime,
    pool: checked.pool,
    ready: false,
  };
  return { row, checked, origin };
}

/** Throws "invalid-argument" or "already-exists"; makes up a free name when there is none. */
export async function freeName(reader: Reader, project: string, wanted: string): Promise<string> {
  if (wanted !== '') {
    const problem = instanceNameProblem(wanted);
    if (problem !== undefined) throw new ApiError('invalid-argument', `Instance name "${wanted}" ${problem}`);
    if (await findInstance(reader, project, wanted)) throw alreadyExists('Instance', wanted);
    return wanted;
  }
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const name = attempt < 50 ? randomName() : `${randomName()}-${randomUUID().slice(0, 4)}`;
    if (!(await findInstance(reader, project, name))) return name;
  }
  throw new ApiError('unavailable', 'Failed finding a free name for the instance; give one');
}

async function originOf(reader: Reader, project: string, request: InstancesPost): Promise<Origin> {
  const { source } = request;
  switch (source.type) {
    case 'none':
      return { kind: 'none' };
    case 'image': {
      const { alias, fingerprint, properties } = source;
      const image = await resolveImage(reader, source.project || project, {
        ...(alias && { alias }),
        ...(fingerprint && { fingerprint }),
        ...(properties && { properties }),
      });
      return { kind: 'image', image };
    }
    case 'copy':
      return await copyOrigin(reader, project, request);
    case 'migration':
      return { kind: 'received' };
  }
}

async function copyOrigin(reader: Reader, project: string, { source }: InstancesPost): Promise<Origin> {
  const [name = '', snapshotName] = (source.source ?? '').split('/', 2);
  if (name === '')
    throw new ApiError('invalid-argument', 'Invalid "source.source": the name of an instance is required');
  const instance = await getInstance(reader, source.project || project, name);
  if (!instance.ready) throw new ApiError('failed-precondition', `Instance "${name}" is not complete`);
  if (snapshotName !== undefined) {
    const snapshot = await getSnapshot(reader, instance.id, snapshotName);
    return { kind: 'copy', instance, snapshot, snapshots: [] };
  }
  const alone = source.instance_only === true || source.container_only === true;
  const snapshots = alone ? [] : (await listSnapshotRows(reader, instance.id)).filter(snapshot => snapshot.ready);
  return { kind: 'copy', instance, snapshot: undefined, snapshots };
}

/** What the new instance has where the request says nothing. */
function templateOf(origin: Origin): Template {
  if (origin.kind === 'copy') {
    const { architecture, profiles, config, devices, ephemeral } = origin.snapshot ?? origin.instance;
    return {
      architecture,
      profiles,
      devices,
      ephemeral,
      config: { ...withoutVolatile(config), ...keptVolatile(config) },
    };
  }
  const image = origin.kind === 'image' ? origin.image : undefined;
  const properties = Object.entries(image?.properties ?? {}).map(([key, value]) => [`image.${key}`, value] as const);
  return {
    architecture: image?.architecture ?? '',
    profiles: image && image.profiles.length > 0 ? image.profiles : ['default'],
    config: { ...Object.fromEntries(properties), ...(image && { 'volatile.base_image': image.fingerprint }) },
    devices: {},
    ephemeral: false,
  };
}

/** Volatile values of one instance, with those that it brings along: never those of one it was copied from. */
export async function newVolatile(
  reader: Reader,
  { config, devices }: CheckedInstance,
  kept: ConfigMap = {},
): Promise<ConfigMap> {
  return {
    'volatile.uuid': randomUUID(),
    'volatile.cloud-init.instance-id': randomUUID(),
    ...idmapVolatile(idmapOf(config, await isolatedRanges(reader))),
    ...missingVolatile(devices, kept),
    ...kept,
  };
}

function withoutVolatile(config: ConfigMap): ConfigMap {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !key.startsWith('volatile.')));
}

function keptVolatile(config: ConfigMap): ConfigMap {
  const image = config['volatile.base_image'];
  return image && /^[0-9a-f]{64}$/.test(image) ? { 'volatile.base_image': image } : {};
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What an instance that moves from another server keeps beside its base image: who it is, and its MAC addresses. */
function movedVolatile(config: ConfigMap): ConfigMap {
  const isKept = ([key, value]: readonly [string, string]): boolean =>
    /^volatile\.[^.]+\.hwaddr$/.test(key)
      ? /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value)
      : /^volatile\.(uuid|cloud-init\.instance-id)$/.test(key) && uuidPattern.test(value);
  return Object.fromEntries(Object.entries(config).filter(isKept));
}

const architectures: Readonly<Record<string, readonly string[]>> = {
  x64: ['x86_64', 'i686'],
  arm64: ['aarch64', 'armv7l'],
};

/** The architecture to run; throws "invalid-argument" for one that this host cannot. */
export function architectureOf(wanted: string): string {
  const known = architectures[process.arch] ?? [process.arch];
  if (wanted === '') return known[0] ?? '';
  if (known.includes(wanted)) return wanted;
  throw new ApiError('invalid-argument', `Invalid "architecture": this host runs ${known.join(', ')}, not "${wanted}"`);
}
