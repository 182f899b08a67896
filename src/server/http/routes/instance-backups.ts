import type { InstanceBackupsPost } from '#api/backup.ts';
import { beginImport } from '#server/backups/import-instance.ts';
import { createBackup, exportInstance, instanceOwner, planBackup } from '#server/backups/instance-backups.ts';
import { viewBackup } from '#server/instances/instance-view.ts';
import type { Services } from '#server/services.ts';
import type { ApiRequest, Reply } from '../route.ts';
import { acceptBackup, backupPost, backupRoutesOf } from './backups.ts';
import { instanceOperation } from './instance-operation.ts';

const flag = { type: 'boolean' } as const;

export const instanceBackupRoutes = backupRoutesOf({
  path: '/1.0/instances/:name',
  post: { type: 'object', properties: { ...backupPost, instance_only: flag, container_only: flag } },
  words: { create: 'Backing up instance', rename: 'Renaming instance backup', remove: 'Removing instance backup' },
  owner: (services, request) => instanceOwner(services, request.project, nameOf(request)),
  view: viewBackup,
  operation: (request, description) => instanceOperation(request, description, [nameOf(request)]),
  plan: (services, request) => planBackup(services, request.project, nameOf(request), wishOf(request)),
  create: (services, request, name, context) =>
    createBackup(services, request.project, nameOf(request), { ...wishOf(request), name }, context),
  write: (services, request, context) =>
    exportInstance(services, request.project, nameOf(request), wishOf(request), context),
});

/** POST /1.0/instances with a backup as its body. */
export async function importBackup(services: Services, request: ApiRequest): Promise<Reply> {
  const { headers, project } = request;
  return acceptBackup(services, request, async file => {
    const wish = { project, file, name: headers['x-lxd-name'], pool: headers['x-lxd-pool'] };
    const begun = await beginImport(services, wish);
    const operation = instanceOperation(request, 'Restoring backup', [begun.record.name]);
    return { operation: { ...operation, mayCancel: true }, finish: context => begun.finish(context) };
  });
}

function nameOf({ params }: ApiRequest): string {
  return params['name'] ?? '';
}

function wishOf({ body }: ApiRequest): InstanceBackupsPost {
  return body ?? {};
}
