import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import type { InstanceBackupsPost } from '#api/backup.ts';
import { invalid } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import {
  createBackup,
  deleteBackup,
  exportInstance,
  listBackups,
  planBackup,
  readBackup,
  renameBackup,
} from '#server/backups/instance-backups.ts';
import { beginImport } from '#server/backups/import-instance.ts';
import { receiveUpload } from '#server/backups/receive-upload.ts';
import { instancePath } from '#server/instances/instance-services.ts';
import { inProject } from '#server/instances/list-instances.ts';
import type { Services } from '#server/services.ts';
import { accepted, type ApiRequest, type Reply, type Route, sync } from '../route.ts';
import { instanceOperation } from './instance-operation.ts';
import { renamePost } from './instance-schemas.ts';

const all = '/1.0/instances/:name/backups';
const one = `${all}/:backup`;

const backupsPost = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    expires_at: { type: 'string' },
    instance_only: { type: 'boolean' },
    container_only: { type: 'boolean' },
    optimized_storage: { type: 'boolean' },
    compression_algorithm: { type: 'string' },
  },
};

export const backupRoutes: readonly Route[] = [
  { method: 'GET', path: all, access: 'project', handle: list },
  { method: 'POST', path: all, access: 'project', body: backupsPost, handle: create },
  { method: 'GET', path: one, access: 'project', handle: read },
  { method: 'POST', path: one, access: 'project', body: renamePost, handle: rename },
  { method: 'DELETE', path: one, access: 'project', handle: remove },
  { method: 'GET', path: `${one}/export`, access: 'project', handle: download },
];

async function list(services: Services, { params, project, query }: ApiRequest): Promise<Reply> {
  const name = params['name'] ?? '';
  const backups = await listBackups(services, project, name);
  if (Number(query['recursion'] ?? 0) > 0) return sync(backups);
  return sync(backups.map(backup => inProject(backupPath(name, backup.name), project)));
}

async function read(services: Services, { params, project }: ApiRequest): Promise<Reply> {
  const { view } = await readBackup(services, project, params['name'] ?? '', params['backup'] ?? '');
  return sync(view);
}

async function create(services: Services, request: ApiRequest): Promise<Reply> {
  const name = request.params['name'] ?? '';
  const { project } = request;
  const { requestor } = request.caller;
  const body = (request.body ?? {}) as InstanceBackupsPost;
  const planned = await planBackup(services, project, name, body);
  if (request.headers['accept'] === 'application/octet-stream') return direct(services, request, name, planned);
  const operation = instanceOperation(request, 'Backing up instance', [name]);
  const resources = { ...operation.resources, backups: [`/1.0/backups/${encodeURIComponent(planned.name)}`] };
  return accepted(
    services.operations.run({ ...operation, resources }, async operation => {
      const onBytes = (bytes: number): void => operation.update({ create_backup_progress: formatSize(bytes) });
      const { signal } = operation;
      const context = { signal, requestor, onBytes, compression: planned.compression };
      await createBackup(services, project, name, { ...body, name: planned.name }, context);
    }),
  );
}

/** The backup as the answer itself: nothing is kept on the server. A failure on the way breaks the connection off. */
function direct(
  services: Services,
  request: ApiRequest,
  name: string,
  { compression }: Awaited<ReturnType<typeof planBackup>>,
): Reply {
  const body = (request.body ?? {}) as InstanceBackupsPost;
  const output = new PassThrough({ highWaterMark: 2 ** 18 });
  const context = { signal: request.signal, requestor: request.caller.requestor, compression, output };
  exportInstance(services, request.project, name, body, context).then(
    () => output.end(),
    (error: unknown) => {
      services.log.warning('Failed exporting an instance', { instance: name, error });
      output.destroy(error as Error);
    },
  );
  return { kind: 'raw', headers: { 'content-type': 'application/octet-stream' }, body: output };
}

async function rename(services: Services, request: ApiRequest): Promise<Reply> {
  const { name = '', backup = '' } = request.params;
  const { project } = request;
  const { requestor } = request.caller;
  const { name: to } = request.body as { name: string };
  if (to === '') throw invalid('name', 'is required');
  await readBackup(services, project, name, backup);
  return accepted(
    services.operations.run(instanceOperation(request, 'Renaming instance backup', [name]), ({ signal }) =>
      renameBackup(services, project, name, { from: backup, to }, { signal, requestor }),
    ),
  );
}

async function remove(services: Services, request: ApiRequest): Promise<Reply> {
  const { name = '', backup = '' } = request.params;
  const { project } = request;
  const { requestor } = request.caller;
  await readBackup(services, project, name, backup);
  return accepted(
    services.operations.run(instanceOperation(request, 'Removing instance backup', [name]), ({ signal }) =>
      deleteBackup(services, project, name, backup, { signal, requestor }),
    ),
  );
}

async function download(services: Services, { params, project }: ApiRequest): Promise<Reply> {
  const { file } = await readBackup(services, project, params['name'] ?? '', params['backup'] ?? '');
  const { size } = await stat(file);
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(size),
    'content-disposition': 'inline;filename=',
  };
  return { kind: 'raw', headers, body: createReadStream(file, { highWaterMark: 2 ** 18 }) };
}

/** POST /1.0/instances with a backup as its body. */
export async function importBackup(services: Services, request: ApiRequest): Promise<Reply> {
  const { headers, project } = request;
  const { requestor } = request.caller;
  // a reader that stops must not close the connection, or the client never sees why
  const body = request.stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  const file = await receiveUpload(services.paths, body);
  try {
    const wish = { project, file, name: headers['x-lxd-name'], pool: headers['x-lxd-pool'] };
    const begun = await beginImport(services, wish);
    const operation = instanceOperation(request, 'Restoring backup', [begun.record.name]);
    return accepted(
      services.operations.run({ ...operation, mayCancel: true }, async ({ signal }) => {
        try {
          await begun.finish({ signal, requestor });
        } finally {
          await rm(file, { force: true });
        }
      }),
    );
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

function backupPath(instance: string, backup: string): string {
  return `${instancePath(instance)}/backups/${encodeURIComponent(backup)}`;
}
