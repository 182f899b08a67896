import { ApiError } from '#api/error.ts';
import type { BackupIndex } from '../backup-config/backup-config.ts';
import { type BegunInstance, beginPlanned } from '../instances/create-instance.ts';
import type { InstanceServices } from '../instances/instance-services.ts';
import { planImport } from './plan-import.ts';
import { restoreArchive } from './read-archive.ts';
import { readIndex } from './read-index.ts';

export interface ImportRequest {
  readonly project: string;
  /** the archive, which stays */
  readonly file: string;
  /** undefined or empty: as the backup says */
  readonly name?: string | undefined;
  readonly pool?: string | undefined;
}

/** Takes the name of an instance that comes from a backup. */
export async function beginImport(
  services: InstanceServices,
  { project, file, name, pool }: ImportRequest,
  signal?: AbortSignal,
): Promise<BegunInstance> {
  const index = await readIndex(file, signal);
  if (index.type !== 'container')
    throw new ApiError('invalid-argument', 'Cannot import an instance: the backup holds a custom volume');
  refuseShifted(index);
  const { config = {}, snapshots } = index;
  return await beginPlanned(services, async tx => {
    const planned = await planImport(tx, { config, project, snapshots, name, pool: pool || undefined });
    return {
      row: planned.row,
      checked: planned.checked,
      origin: {
        kind: 'import',
        snapshots: planned.snapshots,
        restore: (target, volume, signal) => restoreArchive({ file, index, pool: target, volume }, signal),
      },
    };
  });
}

/** Streams hold ids as they lie on disk; file trees those of the guest. */
function refuseShifted({ optimized, config }: BackupIndex): void {
  const map = config?.container?.config['volatile.last_state.idmap'] ?? '[]';
  if (!optimized || map === '[]' || map === '') return;
  throw new ApiError(
    'unsupported',
    'Cannot import the backup: its streams hold ids that were shifted on disk; export it again without "--optimized-storage"',
  );
}
