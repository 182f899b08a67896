import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { InstanceRecord } from '#server/database/instances.ts';
import { getReadySnapshot } from './snapshots.ts';
import type { Idmap } from '../runtime/runtime.ts';
import type { Services } from '../services.ts';
import type { FilesInstance } from './files.ts';
import { loadInstance, idmapFor } from './reach-instance.ts';
import { rootPool, rootVolume } from './root-volume.ts';

export type SnapshotUses = Pick<Services, 'database' | 'pools' | 'paths' | 'runtime'>;

/** The files of a snapshot, which is mounted for as long as this is held. */
export interface SnapshotFiles extends FilesInstance {
  readonly snapshot: string;
  /** ids are shown where those of the instance lie, so that it can take files over as they are */
  readonly sharesIds: boolean;
}

/** `brief`: nobody is expected to come for more. */
export async function reachSnapshotFiles(
  services: SnapshotUses,
  project: string,
  name: string,
  snapshot: string,
  options: { readonly brief?: boolean } = {},
): Promise<SnapshotFiles> {
  const { record, instance } = await loadInstance(services, project, name);
  await services.database.read(reader => getReadySnapshot(reader, record.id, snapshot));
  return await openSnapshot(services, record, snapshot, {
    ...options,
    idmap: idmapFor(record.config, instance.config),
  });
}

/** The same for a snapshot that is known to be there; `idmap` is the instance's. */
export async function openSnapshot(
  services: Pick<SnapshotUses, 'pools' | 'paths' | 'runtime'>,
  record: InstanceRecord,
  snapshot: string,
  { idmap, brief = false }: { readonly idmap: Idmap | undefined; readonly brief?: boolean },
): Promise<SnapshotFiles> {
  const pool = rootPool(services, record);
  const volume = rootVolume(record);
  const id = `${volume.name}/${snapshot}`;
  const place = { volume, name: snapshot };
  const folder = await pool.mountSnapshot(place, () => services.runtime.leaveFiles(id));
  let mounted = true;
  const release = async (): Promise<void> => {
    if (mounted) await pool.unmountSnapshot(place);
    mounted = false;
  };
  try {
    // The top folder belongs to the root of the ids on disk: see alignIds.
    const { uid } = await stat(folder);
    return {
      project: record.project,
      name: record.name,
      snapshot,
      id,
      rootfs: path.join(folder, 'rootfs'),
      ...viewOf(uid, idmap, pool.supportsIdmap),
      readOnly: true,
      brief,
      [Symbol.asyncDispose]: release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** How ids are to be shown: they stay on disk as they were when the snapshot was made. */
export function viewOf(
  hostBase: number,
  idmap: Idmap | undefined,
  supportsIdmap: boolean,
): Pick<SnapshotFiles, 'idmap' | 'hostIds' | 'sharesIds'> {
  if (hostBase > 0) {
    const view = { hostBase, size: idmap?.size ?? 65_536 };
    return { idmap: view, hostIds: true, sharesIds: idmap?.hostBase === hostBase && !idmap.holes };
  }
  if (supportsIdmap || !idmap) return { idmap, hostIds: false, sharesIds: true };
  return { idmap: undefined, hostIds: false, sharesIds: false };
}
