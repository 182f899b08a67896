import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { PassThrough, type Writable } from 'node:stream';
import { invalid } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import {
  type BackupContext,
  type BackupOwner,
  type BackupWish,
  deleteKept,
  listKept,
  readKept,
  renameKept,
} from '#server/backups/kept-backups.ts';
import { receiveUpload } from '#server/backups/receive-upload.ts';
import type { BackupRecord } from '#server/database/backups.ts';
import type { Compression } from '#server/images/compression.ts';
import { inProject } from '#server/instances/list-instances.ts';
import type { OperationRequest } from '#server/operations/operation.ts';
import type { Services } from '#server/services.ts';
import { wantsWhole } from '../request.ts';
import { accepted, type ApiRequest, type JsonSchema, type Reply, type Route, sync } from '../route.ts';
import { renamePost } from './instance-schemas.ts';

export interface PlannedBackup {
  readonly name: string;
  readonly compression: Compression;
}

/** What differs between the backups of instances and of custom volumes. */
export interface BackupKind {
  /** path of the owner, such as /1.0/instances/:name */
  readonly path: string;
  readonly post: JsonSchema;
  /** descriptions of operations */
  readonly words: { readonly create: string; readonly rename: string; readonly remove: string };
  /** Throws "not-found". */
  owner(services: Services, request: ApiRequest): Promise<BackupOwner>;
  view(backup: BackupRecord): { readonly name: string };
  operation(request: ApiRequest, description: string): OperationRequest;
  plan(services: Services, request: ApiRequest): Promise<PlannedBackup>;
  create(
    services: Services,
    request: ApiRequest,
    name: string,
    context: BackupContext & { readonly compression: Compression },
  ): Promise<void>;
  /** Writes the backup and leaves `output` open. */
  write(
    services: Services,
    request: ApiRequest,
    context: BackupContext & { readonly compression: Compression; readonly output: Writable },
  ): Promise<void>;
}

export const backupPost = {
  name: { type: 'string' },
  expires_at: { type: 'string' },
  optimized_storage: { type: 'boolean' },
  compression_algorithm: { type: 'string' },
} as const satisfies Record<keyof BackupWish, JsonSchema>;

export function backupRoutesOf(kind: BackupKind): readonly Route[] {
  const all = `${kind.path}/backups`;
  const one = `${all}/:backup`;
  const on =
    (handle: (kind: BackupKind, services: Services, request: ApiRequest) => Promise<Reply>) =>
    (services: Services, request: ApiRequest): Promise<Reply> =>
      handle(kind, services, request);
  return [
    { method: 'GET', path: all, access: 'project', handle: on(list) },
    { method: 'POST', path: all, access: 'project', body: kind.post, handle: on(create) },
    { method: 'GET', path: one, access: 'project', handle: on(read) },
    { method: 'POST', path: one, access: 'project', body: renamePost, handle: on(rename) },
    { method: 'DELETE', path: one, access: 'project', handle: on(remove) },
    { method: 'GET', path: `${one}/export`, access: 'project', handle: on(download) },
  ];
}

/** What a backup becomes, its name taken, and the operation that finishes it. */
interface BegunImport {
  readonly operation: OperationRequest;
  finish(context: Pick<BackupContext, 'signal' | 'requestor'>): Promise<void>;
}

/** Imports the backup that is the request's body: its file is there for `begin` and `finish`, and gone after them. */
export async function acceptBackup(
  services: Services,
  { stream, caller }: ApiRequest,
  begin: (file: string) => Promise<BegunImport>,
): Promise<Reply> {
  const { requestor } = caller;
  const file = await receiveUpload(services.paths, stream);
  try {
    const begun = await begin(file);
    return accepted(
      services.operations.run(begun.operation, async ({ signal }) => {
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

async function list(kind: BackupKind, services: Services, request: ApiRequest): Promise<Reply> {
  const owner = await kind.owner(services, request);
  const backups = await listKept(services, owner);
  if (wantsWhole(request.query)) return sync(backups.map(backup => kind.view(backup)));
  const urls = backups.map(({ name }) => `${owner.path}/backups/${encodeURIComponent(name)}`);
  return sync(urls.map(url => inProject(url, request.project)));
}

async function read(kind: BackupKind, services: Services, request: ApiRequest): Promise<Reply> {
  return sync(kind.view((await found(kind, services, request)).record));
}

async function create(kind: BackupKind, services: Services, request: ApiRequest): Promise<Reply> {
  const { requestor } = request.caller;
  const { name, compression } = await kind.plan(services, request);
  if (request.headers['accept'] === 'application/octet-stream') return direct(kind, services, request, compression);
  const described = kind.operation(request, kind.words.create);
  const resources = { ...described.resources, backups: [`/1.0/backups/${encodeURIComponent(name)}`] };
  return accepted(
    services.operations.run({ ...described, resources }, async operation => {
      const onBytes = (bytes: number): void => operation.update({ create_backup_progress: formatSize(bytes) });
      await kind.create(services, request, name, { signal: operation.signal, requestor, onBytes, compression });
    }),
  );
}

/** The backup as the answer itself: nothing is kept on the server. A failure on the way breaks the connection off. */
function direct(kind: BackupKind, services: Services, request: ApiRequest, compression: Compression): Reply {
  const output = new PassThrough({ highWaterMark: 2 ** 18 });
  const { signal } = request;
  kind.write(services, request, { signal, requestor: request.caller.requestor, compression, output }).then(
    () => output.end(),
    (error: unknown) => {
      services.log.warning('Failed exporting', { url: request.raw.url, error });
      output.destroy(error as Error);
    },
  );
  return { kind: 'raw', headers: { 'content-type': 'application/octet-stream' }, body: output };
}

async function rename(kind: BackupKind, services: Services, request: ApiRequest): Promise<Reply> {
  const { requestor } = request.caller;
  const { name: to } = request.body as { name: string };
  if (to === '') throw invalid('name', 'is required');
  const { owner, record } = await found(kind, services, request);
  return accepted(
    services.operations.run(kind.operation(request, kind.words.rename), ({ signal }) =>
      renameKept(services, owner, { from: record.name, to }, { signal, requestor }),
    ),
  );
}

async function remove(kind: BackupKind, services: Services, request: ApiRequest): Promise<Reply> {
  const { requestor } = request.caller;
  const { owner, record } = await found(kind, services, request);
  return accepted(
    services.operations.run(kind.operation(request, kind.words.remove), ({ signal }) =>
      deleteKept(services, owner, record.name, { signal, requestor }),
    ),
  );
}

async function download(kind: BackupKind, services: Services, request: ApiRequest): Promise<Reply> {
  const { file } = await found(kind, services, request);
  const { size } = await stat(file);
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(size),
    'content-disposition': 'inline;filename=',
  };
  return { kind: 'raw', headers, body: createReadStream(file, { highWaterMark: 2 ** 18 }) };
}

/** Throws "not-found". */
async function found(
  kind: BackupKind,
  services: Services,
  request: ApiRequest,
): Promise<{ readonly owner: BackupOwner; readonly record: BackupRecord; readonly file: string }> {
  const owner = await kind.owner(services, request);
  return { owner, ...(await readKept(services, owner, request.params['backup'] ?? '')) };
}
