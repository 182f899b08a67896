import { zeroTime } from '#api/common.ts';
import type { Requestor } from '#api/event.ts';
import { ApiError, invalid } from '#api/error.ts';
import type { RecoverPool, RecoverValidation, SkippedVolume } from '#api/recover.ts';
import { Revert } from '#base/revert.ts';
import { chosenDriver } from '#storage/drivers.ts';
import type { Pool } from '#storage/pool.ts';
import { insertInstance } from '../database/instances.ts';
import { insertSnapshot } from '../database/snapshots.ts';
import { insertPool, listPools, type PoolRow, setPoolReady } from '../database/storage-pools.ts';
import { insertVolume } from '../database/storage-volumes.ts';
import { insertVolumeSnapshot } from '../database/volume-snapshots.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import { instancePath, type InstanceServices } from '../instances/instance-services.ts';
import { limitRoot, linkRoot } from '../instances/root-volume.ts';
import { holdInstance } from '../instances/status.ts';
import { checkPoolName } from '../pools/check-pool.ts';
import type { Services } from '../services.ts';
import { holdVolume, tell } from '../volumes/volume.ts';
import { findLost, type Findings, type LostCustomVolume, type LostInstance, missingFor } from './lost-volumes.ts';
import { planImport } from './plan-import.ts';

export type RecoverServices = InstanceServices & Pick<Services, 'pools'>;

/** What could be recovered from these pools, what stands in its way, and why other volumes are passed over. */
export async function validateRecovery(
  services: RecoverServices,
  asked: readonly RecoverPool[],
): Promise<RecoverValidation> {
  await using opened = await openPools(services, asked);
  const { lost, custom, skipped } = await search(services, opened.pools);
  const missing = await services.database.read(reader => missingFor(reader, { lost, custom }));
  const described = (type: string) => (volume: LostInstance | LostCustomVolume) => {
    const { name, project, pool, snapshots } = volume;
    return { name, type, snapshotCount: snapshots.length, project, pool };
  };
  const unknown = [...custom.map(described('volume')), ...lost.map(described('container'))];
  return {
    UnknownVolumes: unknown.length > 0 ? unknown : null,
    DependencyErrors: missing.length > 0 ? missing : null,
    SkippedVolumes: skipped.length > 0 ? skipped : null,
  };
}

/** Brings the instances back that are found in these pools. One that cannot be is told of and holds up no other. */
export async function recoverLost(
  services: RecoverServices,
  asked: readonly RecoverPool[],
  requestor: Requestor,
): Promise<readonly SkippedVolume[]> {
  await using opened = await openPools(services, asked);
  const { lost, custom, skipped } = await search(services, opened.pools);
  const missing = await services.database.read(reader => missingFor(reader, { lost, custom }));
  if (missing.length > 0)
    throw new ApiError('failed-precondition', `Cannot recover before these are there again: ${missing.join(', ')}`);
  for (const row of opened.unknown) {
    if ([...lost, ...custom].some(({ pool }) => pool === row.name)) await opened.keep(row);
  }
  const failed: SkippedVolume[] = [...skipped];
  const attempt = async ({ pool, name }: LostInstance | LostCustomVolume, work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      services.log.warning('Failed recovering a volume', { pool, volume: name, error });
      failed.push({ pool, name, reason });
    }
  };
  // before the instances, which may have them as disks
  for (const volume of custom) await attempt(volume, recoverCustom(services, volume, requestor));
  for (const instance of lost) await attempt(instance, recoverOne(services, instance, requestor));
  return failed;
}

/** Two volumes of one name cannot both be the instance. */
async function search(services: RecoverServices, pools: readonly Pool[]): Promise<Findings> {
  const { lost, custom, skipped } = await findLost(services, pools);
  const first = new Map(lost.toReversed().map(instance => [instance.volume.name, instance]));
  const doubles = lost.filter(instance => first.get(instance.volume.name) !== instance);
  const passed = doubles.map(({ pool, volume }) => {
    const reason = `storage pool "${first.get(volume.name)?.pool ?? ''}" has a volume of the same instance`;
    return { pool, name: volume.name, reason };
  });
  return { lost: [...first.values()], custom, skipped: [...skipped, ...passed] };
}

/** The volume is there and stays whatever happens: only rows are written, in one transaction. */
async function recoverOne(services: RecoverServices, lost: LostInstance, requestor: Requestor): Promise<void> {
  const { project, name, config, pool, snapshots } = lost;
  using _lock = await holdInstance(services.locks, project, name, 'create');
  const { record, size } = await services.database.write(async tx => {
    const planned = await planImport(tx, { config, project, name, pool, snapshots });
    const record = await insertInstance(tx, { ...planned.row, ready: true });
    for (const snapshot of planned.snapshots) await insertSnapshot(tx, { ...snapshot, instanceId: record.id });
    return { record, size: planned.checked.rootSize };
  });
  await linkRoot(services, record);
  if (size) await limitRoot(services, record, size);
  emitLifecycle(services.events, 'instance-created', instancePath(name), {
    project,
    context: { type: 'container', 'storage-pool': pool },
    requestor,
  });
}

async function recoverCustom(services: RecoverServices, lost: LostCustomVolume, requestor: Requestor): Promise<void> {
  const { name, project, pool, snapshots } = lost;
  const at = { pool, project, name };
  using _lock = await holdVolume(services, at, 'recover');
  const createdAt = new Date().toISOString();
  const common = { description: '', config: {}, ready: true, createdAt };
  await services.database.write(async tx => {
    const { id } = await insertVolume(tx, { ...common, ...at, type: 'custom' });
    for (const snapshot of snapshots)
      await insertVolumeSnapshot(tx, { ...common, volumeId: id, name: snapshot, expiresAt: zeroTime });
  });
  tell(services, 'storage-volume-created', at, { requestor }, { context: { type: 'custom' } });
}

// ---- pools ----

type UnknownPool = Omit<PoolRow, 'id' | 'ready'> & { readonly pool: Pool };

interface OpenedPools extends AsyncDisposable {
  readonly pools: readonly Pool[];
  /** those without a row: mounted as long as this is open, or for good when they are kept */
  readonly unknown: readonly UnknownPool[];
  keep(row: UnknownPool): Promise<void>;
}

async function openPools(services: RecoverServices, asked: readonly RecoverPool[]): Promise<OpenedPools> {
  const known = new Set((await services.database.read(listPools)).map(row => row.name));
  await using revert = new Revert(services.log);
  const pools: Pool[] = [];
  const unknown: UnknownPool[] = [];
  for (const request of asked) {
    if (known.has(request.name)) {
      pools.push(services.pools.get(request.name));
      continue;
    }
    const row = await openUnknown(services, request);
    revert.add('mounting a storage pool', () => row.pool.unmount());
    unknown.push(row);
    pools.push(row.pool);
  }
  const open = revert.transfer();
  const kept = new Set<UnknownPool>();
  return {
    pools,
    unknown,
    async keep(row) {
      await services.database.write(async tx => {
        await insertPool(tx, row);
        await setPoolReady(tx, row.name, true);
      });
      services.pools.add(row.pool);
      kept.add(row);
    },
    async [Symbol.asyncDispose]() {
      open.commit();
      for (const row of unknown) {
        if (kept.has(row)) continue;
        await row.pool.unmount().catch((error: unknown) => services.log.warning('Failed unmounting a pool', { error }));
      }
    },
  };
}

async function openUnknown(services: RecoverServices, request: RecoverPool): Promise<UnknownPool> {
  const { name, driver = '', description = '' } = request;
  const config = request.config ?? {}; // null from clients in Go
  checkPoolName(name);
  if (driver === '') throw invalid('driver', `is required for storage pool "${name}", which is not known here`);
  const type = await chosenDriver(driver);
  if (!type.adoptConfig) throw new ApiError('unsupported', `Cannot recover a storage pool of driver "${driver}"`);
  const adopted = await type.adoptConfig(config, { poolName: name, loopFile: `${services.paths.disks}/${name}.img` });
  const pool = services.pools.build({ name, driver, config: adopted });
  await pool.mount();
  return { name, driver, description, config: adopted, pool };
}
