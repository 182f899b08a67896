import type { Instance, InstanceFull, InstanceSnapshot } from '#api/instance.ts';
import { type BackupRecord, instanceBackups, listBackupRows } from '#server/database/backups.ts';
import { getInstance, type InstanceRecord, listInstanceNames, listInstanceRows } from '#server/database/instances.ts';
import { getSnapshot, listSnapshotRows, type SnapshotRecord } from '#server/database/snapshots.ts';
import { expandInstance } from './check-instance.ts';
import type { Expanded } from '../profiles/expand-config.ts';
import { expandWith, type Profiles, profilesByName } from './expand-many.ts';
import { instancePath, type InstanceServices } from './instance-services.ts';
import { instanceState } from './instance-state.ts';
import { viewBackup, viewInstance, viewSnapshot } from './instance-view.ts';

type Uses = Pick<InstanceServices, 'database' | 'runtime' | 'locks' | 'pools' | 'paths' | 'log'>;

interface Scope {
  /** undefined = all projects */
  readonly project: string | undefined;
  readonly filter?: ((object: object) => boolean) | undefined;
}

/** URLs of instances, `?project=` on those outside the default one. */
export async function listInstanceUrls(services: Uses, { project, filter }: Scope): Promise<readonly string[]> {
  const names = filter
    ? (await listInstances(services, { project, filter })).map(({ project, name }) => ({ project, name }))
    : await services.database.read(reader => listInstanceNames(reader, project));
  return names.map(({ project, name }) => inProject(instancePath(name), project));
}

export async function listInstances(services: Uses, { project, filter }: Scope): Promise<readonly Instance[]> {
  const { records, profiles } = await services.database.read(async reader => ({
    records: await listInstanceRows(reader, project),
    profiles: await profilesByName(reader, project),
  }));
  const views = records.map(record => viewInstance(services, record, expandWith(profiles, record)));
  return filter ? views.filter(filter) : views;
}

/** With state and snapshots: a fixed number of queries however many instances there are. */
export async function listFullInstances(services: Uses, { project, filter }: Scope): Promise<readonly InstanceFull[]> {
  const { records, profiles, snapshots, backups } = await services.database.read(async reader => ({
    records: await listInstanceRows(reader, project),
    profiles: await profilesByName(reader, project),
    snapshots: await listSnapshotRows(reader),
    backups: await listBackupRows(reader, instanceBackups),
  }));
  const byInstance = new Map<number, SnapshotRecord[]>();
  for (const snapshot of snapshots) {
    const list = byInstance.get(snapshot.instanceId);
    if (list) list.push(snapshot);
    else byInstance.set(snapshot.instanceId, [snapshot]);
  }
  const wanted = records
    .map(record => ({ record, expanded: expandWith(profiles, record) }))
    .map(entry => ({ ...entry, view: viewInstance(services, entry.record, entry.expanded) }))
    .filter(({ view }) => !filter || filter(view));
  return await Promise.all(
    wanted.map(async ({ record, expanded, view }) => ({
      ...view,
      backups: viewBackups(backups.filter(({ ownerId }) => ownerId === record.id)),
      state: await instanceState(services, record, expanded),
      snapshots: viewSnapshots(byInstance.get(record.id) ?? [], record.project, profiles),
    })),
  );
}

/** One instance with its record, for its ETag. */
export async function readInstance(
  services: Uses,
  project: string,
  name: string,
): Promise<{ readonly record: InstanceRecord; readonly expanded: Expanded; readonly view: Instance }> {
  const { record, expanded } = await services.database.read(async reader => {
    const record = await getInstance(reader, project, name);
    return { record, expanded: await expandInstance(reader, record) };
  });
  return { record, expanded, view: viewInstance(services, record, expanded) };
}

export async function readFullInstance(services: Uses, project: string, name: string): Promise<InstanceFull> {
  const { record, expanded, view } = await readInstance(services, project, name);
  const snapshots = await listInstanceSnapshots(services, project, name);
  const backups = await services.database.read(reader => listBackupRows(reader, instanceBackups, record.id));
  return { ...view, backups: viewBackups(backups), state: await instanceState(services, record, expanded), snapshots };
}

export async function listInstanceSnapshots(
  services: Uses,
  project: string,
  name: string,
): Promise<readonly InstanceSnapshot[]> {
  return await services.database.read(async reader => {
    const record = await getInstance(reader, project, name);
    return (
      viewSnapshots(await listSnapshotRows(reader, record.id), project, await profilesByName(reader, project)) ?? []
    );
  });
}

export async function readInstanceSnapshot(
  services: Uses,
  project: string,
  name: string,
  snapshotName: string,
): Promise<{ readonly record: SnapshotRecord; readonly view: InstanceSnapshot }> {
  return await services.database.read(async reader => {
    const { id } = await getInstance(reader, project, name);
    const record = await getSnapshot(reader, id, snapshotName);
    return { record, view: viewSnapshot(record, await expandInstance(reader, { ...record, project })) };
  });
}

/** A URL path with `?project=` unless that is the default one. */
export function inProject(path: string, project: string): string {
  return project === 'default' ? path : `${path}?project=${encodeURIComponent(project)}`;
}

function viewBackups(backups: readonly BackupRecord[]): InstanceFull['backups'] {
  const ready = backups.filter(backup => backup.ready);
  return ready.length === 0 ? null : ready.map(viewBackup);
}

function viewSnapshots(
  snapshots: readonly SnapshotRecord[],
  project: string,
  profiles: Profiles,
): readonly InstanceSnapshot[] | null {
  const ready = snapshots.filter(snapshot => snapshot.ready);
  if (ready.length === 0) return null;
  return ready.map(snapshot => viewSnapshot(snapshot, expandWith(profiles, { ...snapshot, project })));
}
