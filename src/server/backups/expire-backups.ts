import { instanceBackups, listBackupRows, volumeBackups } from '../database/backups.ts';
import { listInstanceRows } from '../database/instances.ts';
import { listVolumeRecords } from '../database/storage-volumes.ts';
import { isExpired } from '../instances/snapshot-expiry.ts';
import { ownerOf } from './instance-backups.ts';
import { type BackupOwner, deleteKept, type KeptServices } from './kept-backups.ts';
import { ownerOfVolume } from './volume-backups.ts';

/** Deletes backups whose time has come. */
export async function deleteExpiredBackups(services: KeptServices, now: Date = new Date()): Promise<void> {
  for (const { owner, name } of await listExpired(services, now)) {
    await deleteKept(services, owner, name).catch((error: unknown) => {
      services.log.warning('Failed deleting an expired backup', { of: owner.path, backup: name, error });
    });
  }
}

async function listExpired(
  services: KeptServices,
  now: Date,
): Promise<readonly { readonly owner: BackupOwner; readonly name: string }[]> {
  return await services.database.read(async reader => {
    const due = async (table: typeof instanceBackups) =>
      (await listBackupRows(reader, table)).filter(row => row.ready && isExpired(row.expiresAt, now));
    const [ofInstances, ofVolumes] = [await due(instanceBackups), await due(volumeBackups)];
    const owners: BackupOwner[] = [];
    if (ofInstances.length > 0)
      owners.push(...(await listInstanceRows(reader)).map(record => ownerOf(services, record)));
    if (ofVolumes.length > 0)
      owners.push(...(await listVolumeRecords(reader)).map(record => ownerOfVolume(services, record)));
    const found = (rows: typeof ofInstances, table: typeof instanceBackups) =>
      rows.flatMap(({ ownerId, name }) => {
        const owner = owners.find(candidate => candidate.table === table && candidate.id === ownerId);
        return owner ? [{ owner, name }] : [];
      });
    return [...found(ofInstances, instanceBackups), ...found(ofVolumes, volumeBackups)];
  });
}
