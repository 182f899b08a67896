import type { VolumeBackupsPost } from '#api/backup.ts';
import { ApiError } from '#api/error.ts';
import { beginVolumeImport } from '#server/backups/import-volume.ts';
import {
  createVolumeBackup,
  exportVolume,
  planVolumeBackup,
  viewVolumeBackup,
  volumeOwner,
} from '#server/backups/volume-backups.ts';
import type { Services } from '#server/services.ts';
import type { CustomAt } from '#server/volumes/volume.ts';
import type { ApiRequest, Reply } from '../route.ts';
import { acceptBackup, backupPost, backupRoutesOf } from './backups.ts';
import { customAt, typeOf, volumeOperation } from './volume-request.ts';

export const volumeBackupRoutes = backupRoutesOf({
  path: '/1.0/storage-pools/:pool/volumes/:type/:volume',
  post: { type: 'object', properties: { ...backupPost, volume_only: { type: 'boolean' } } },
  words: {
    create: 'Backing up storage volume',
    rename: 'Renaming storage volume backup',
    remove: 'Removing storage volume backup',
  },
  owner: async (services, request) => volumeOwner(services, await volumeAt(services, request)),
  view: viewVolumeBackup,
  operation: (request, description) =>
    volumeOperation(request, description, request.params['pool'] ?? '', request.params['volume'] ?? ''),
  plan: async (services, request) => planVolumeBackup(services, await volumeAt(services, request), wishOf(request)),
  create: async (services, request, name, context) =>
    createVolumeBackup(services, await volumeAt(services, request), { ...wishOf(request), name }, context),
  write: async (services, request, context) =>
    exportVolume(services, await volumeAt(services, request), wishOf(request), context),
});

/** POST /1.0/storage-pools/{pool}/volumes/custom with a backup as its body. */
export async function importVolumeBackup(services: Services, request: ApiRequest): Promise<Reply> {
  if (request.params['type'] !== undefined) assertCustom(request);
  return acceptBackup(services, request, async file => {
    const { pool, project } = await customAt(services, request, { pool: request.params['pool'] ?? '', name: '' });
    const begun = await beginVolumeImport(services, { pool, project, name: request.headers['x-lxd-name'], file });
    const operation = volumeOperation(request, 'Creating custom volume from backup', pool, begun.at.name);
    return { operation, finish: context => begun.finish(context) };
  });
}

async function volumeAt(services: Services, request: ApiRequest): Promise<CustomAt> {
  assertCustom(request);
  const { pool = '', volume: name = '' } = request.params;
  return await customAt(services, request, { pool, name });
}

function assertCustom(request: ApiRequest): void {
  const type = typeOf(request);
  if (type !== 'custom') throw new ApiError('invalid-argument', `Invalid storage volume type "${type}"`);
}

function wishOf({ body }: ApiRequest): VolumeBackupsPost {
  return body ?? {};
}
