import { type ConfigMap, zeroTime } from '#api/common.ts';
import type { Profile } from '#api/profile.ts';
import type { BackupConfig } from '#server/backup-config/backup-config.ts';
import type { Reader } from '#server/database/database.ts';
import { getInstance, type InstanceRecord } from '#server/database/instances.ts';
import { findProfile, type ProfileRecord } from '#server/database/profiles.ts';
import { listSnapshotRows, type SnapshotRecord } from '#server/database/snapshots.ts';
import { getPool, type PoolRow } from '#server/database/storage-pools.ts';
import { expand } from '../profiles/expand-config.ts';
import { type InstanceServices } from './instance-services.ts';
import { viewInstance, viewSnapshot } from './instance-view.ts';

export interface DescribedInstance {
  readonly record: InstanceRecord;
  /** those that are whole, oldest first */
  readonly snapshots: readonly SnapshotRecord[];
  readonly config: BackupConfig;
}

/** Volatile keys that LXD 5.0 knows; it refuses others, and ours tell of this server only. */
const portable =
  /^volatile\.(apply_template|base_image|cloud-init\.instance-id|idmap\.(base|current|next)|last_state\.(idmap|power)|uuid|[^.]+\.(hwaddr|name))$/;

/** All there is to know of an instance, as backup.yaml, backups and migrations carry it. Throws "not-found". */
export async function describeInstance(
  services: Pick<InstanceServices, 'database' | 'runtime' | 'locks'>,
  project: string,
  name: string,
): Promise<DescribedInstance> {
  const { record, snapshots, profiles, pool } = await services.database.read(reader => load(reader, project, name));
  const seen = <T extends { readonly config: ConfigMap }>(owner: T): T => ({
    ...owner,
    config: travelling(owner.config),
  });
  const layers = (names: readonly string[]): readonly ProfileRecord[] =>
    names.flatMap(name => profiles.get(name) ?? []);
  const views = snapshots
    .map(seen)
    .map(snapshot => viewSnapshot(snapshot, expand(layers(snapshot.profiles), snapshot)));
  const config: BackupConfig = {
    container: viewInstance(services, seen(record), expand(layers(record.profiles), seen(record))),
    snapshots: views,
    pool: viewPool(pool),
    profiles: layers(record.profiles).map(viewProfile),
    volume: {
      config: {},
      description: '',
      name: record.name,
      type: 'container',
      used_by: [],
      location: 'none',
      content_type: 'filesystem',
      project,
      created_at: record.createdAt,
    },
    volume_snapshots: snapshots.map(snapshot => ({
      description: snapshot.description,
      expires_at: zeroTime,
      name: snapshot.name,
      config: {},
      content_type: 'filesystem',
      created_at: snapshot.createdAt,
    })),
  };
  return { record, snapshots, config };
}

function travelling(config: ConfigMap): ConfigMap {
  return Object.fromEntries(
    Object.entries(config).filter(([key]) => !key.startsWith('volatile.') || portable.test(key)),
  );
}

interface Loaded {
  readonly record: InstanceRecord;
  readonly snapshots: readonly SnapshotRecord[];
  /** those that the instance or a snapshot of it names, by name */
  readonly profiles: ReadonlyMap<string, ProfileRecord>;
  readonly pool: PoolRow;
}

async function load(reader: Reader, project: string, name: string): Promise<Loaded> {
  const record = await getInstance(reader, project, name);
  const snapshots = (await listSnapshotRows(reader, record.id)).filter(snapshot => snapshot.ready);
  const profiles = new Map<string, ProfileRecord>();
  for (const wanted of new Set([record, ...snapshots].flatMap(({ profiles }) => profiles))) {
    const found = await findProfile(reader, project, wanted);
    if (found) profiles.set(wanted, found);
  }
  return { record, snapshots, profiles, pool: await getPool(reader, record.pool) };
}

function viewPool({ name, driver, description, config }: PoolRow): NonNullable<BackupConfig['pool']> {
  return { config, description, name, driver, used_by: [], status: 'Created', locations: ['none'] };
}

function viewProfile({ name, description, config, devices }: ProfileRecord): Profile {
  return { config, description, devices, name, used_by: [] };
}
