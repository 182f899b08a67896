import { type ConfigMap, type DevicesMap, zeroTime } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { Instance, InstanceSnapshot } from '#api/instance.ts';
import type { BackupConfig } from '../backup-config/backup-config.ts';
import type { Reader } from '../database/database.ts';
import { findProfile } from '../database/profiles.ts';
import type { NewSnapshot } from '../database/snapshots.ts';
import { listPools } from '../database/storage-pools.ts';
import { checkInstance, type CheckedInstance } from '../instances/check-instance.ts';
import { rootDevice } from '../profiles/expand-config.ts';
import { architectureOf, freeName, newVolatile } from '../instances/new-instance.ts';
import type { NewInstance } from '../database/instances.ts';

/** What a description that came from elsewhere becomes here. */
export interface PlannedImport {
  readonly row: NewInstance;
  readonly checked: CheckedInstance;
  readonly snapshots: readonly Omit<NewSnapshot, 'instanceId'>[];
}

export interface ImportWish {
  readonly config: BackupConfig;
  readonly project: string;
  /** undefined: as the description says */
  readonly name?: string | undefined;
  /** undefined: the pool of the description or, when it is not here, that of the default profile */
  readonly pool?: string | undefined;
  /** names of the snapshots that come along; undefined = all that are described */
  readonly snapshots?: readonly string[] | undefined;
}

/** Values that stay an instance's own wherever it is. */
const keptVolatile = /^volatile\.(uuid|uuid\.generation|cloud-init\.instance-id|[^.]+\.hwaddr)$/;

/**
 * Checks a description of an instance as every change of one is checked. Called in the transaction that inserts its
 * row. Throws "invalid-argument", "already-exists", "not-found".
 */
export async function planImport(reader: Reader, wish: ImportWish): Promise<PlannedImport> {
  const { container, snapshots: described = [] } = wish.config;
  if (!container) throw new ApiError('invalid-argument', 'Invalid backup: it does not describe an instance');
  const { project } = wish;
  const name = await freeName(reader, project, wish.name || container.name);
  const pool = wish.pool ?? (await usablePool(reader, project, wish.config));
  const local = {
    name,
    project,
    description: container.description,
    profiles: container.profiles,
    devices: container.devices,
    config: withoutVolatile(container.config),
  };
  const checked = await checkInPool(reader, local, pool);
  const kept = await freeVolatile(reader, container.config);
  const volatile = await newVolatile(reader, checked, { ...kept, ...baseImage(container.config) });
  const wanted = new Set(wish.snapshots ?? described.map(snapshot => snapshot.name));
  return {
    checked,
    row: {
      ...local,
      devices: checked.local,
      config: { ...local.config, ...volatile },
      architecture: architectureOf(container.architecture),
      ephemeral: container.ephemeral,
      stateful: false,
      createdAt: timeOf(container.created_at),
      lastUsedAt: container.last_used_at,
      pool: checked.pool,
      ready: false,
    },
    snapshots: described
      .filter(({ name }) => wanted.has(name))
      .map(snapshot => snapshotRow(snapshot, rootDevice(checked.local))),
  };
}

/** The devices so that the root disk lies in the pool, whatever the description and its profiles say. */
async function checkInPool(
  reader: Reader,
  local: Parameters<typeof checkInstance>[1],
  pool: string | undefined,
): Promise<CheckedInstance & { readonly local: DevicesMap }> {
  const own = rootIn(local.devices, pool);
  const moved = { ...local, devices: own };
  if (pool === undefined) return { ...(await checkInstance(reader, moved)), local: own };
  const profiles = await Promise.all(local.profiles.map(name => findProfile(reader, local.project, name)));
  const fromProfiles = Object.assign({}, ...profiles.map(profile => profile?.devices ?? {})) as DevicesMap;
  const root = rootDevice({ ...fromProfiles, ...own });
  if (root && root[1]['pool'] === pool) return { ...(await checkInstance(reader, moved)), local: own };
  const [device, options] = root ?? ['root', { type: 'disk', path: '/' }];
  const devices = { ...own, [device]: { ...options, pool } };
  return { ...(await checkInstance(reader, { ...local, devices })), local: devices };
}

function rootIn(devices: DevicesMap, pool: string | undefined): DevicesMap {
  const root = rootDevice(devices);
  return root && pool !== undefined ? { ...devices, [root[0]]: { ...root[1], pool } } : devices;
}

async function usablePool(reader: Reader, project: string, config: BackupConfig): Promise<string | undefined> {
  const here = new Set((await listPools(reader)).filter(pool => pool.ready).map(pool => pool.name));
  const described = config.pool?.name ?? '';
  if (here.has(described)) return described;
  const profile = await findProfile(reader, project, 'default');
  const root = profile && rootDevice(profile.devices)?.[1]['pool'];
  if (root && here.has(root)) return root;
  throw new ApiError('not-found', `Storage pool "${described}" not found; name another one for the import`);
}

function withoutVolatile(config: ConfigMap): ConfigMap {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !key.startsWith('volatile.')));
}

function baseImage(config: ConfigMap): ConfigMap {
  const image = config['volatile.base_image'];
  return image && /^[0-9a-f]{64}$/.test(image) ? { 'volatile.base_image': image } : {};
}

/** Ids and addresses that no other instance has here: a second import beside the first one gets new ones. */
async function freeVolatile(reader: Reader, config: ConfigMap): Promise<ConfigMap> {
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(config)) {
    const isAddress = key.endsWith('.hwaddr');
    const good = isAddress ? /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(value) : /^[0-9a-f-]{36}$/i.test(value);
    if (!keptVolatile.test(key) || !good) continue;
    const taken = await reader.get<{ found: number }>(
      'SELECT 1 AS found FROM instances_config WHERE value = ? AND key LIKE ?',
      [value, isAddress ? 'volatile.%.hwaddr' : key],
    );
    if (!taken) kept[key] = value;
  }
  return kept;
}

/** With the root disk of the instance, if that has one of its own: a snapshot can only be restored in its pool. */
function snapshotRow(snapshot: InstanceSnapshot, root: ReturnType<typeof rootDevice>): Omit<NewSnapshot, 'instanceId'> {
  const { name, architecture, ephemeral, profiles, config, devices } = snapshot;
  return {
    name,
    architecture,
    ephemeral,
    profiles,
    config: { ...withoutVolatile(config), ...baseImage(config) },
    devices: root ? { ...devices, [root[0]]: root[1] } : devices,
    createdAt: timeOf(snapshot.created_at),
    expiresAt: snapshot.expires_at,
    lastUsedAt: snapshot.last_used_at,
    stateful: false,
    description: '',
    ready: true,
  };
}

function timeOf(time: Instance['created_at']): string {
  return time === zeroTime ? new Date().toISOString() : time;
}
