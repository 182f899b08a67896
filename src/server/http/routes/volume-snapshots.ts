import { zeroTime } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { StorageVolumeSnapshot, StorageVolumePost } from '#api/storage.ts';
import type { OperationRequest } from '#server/operations/operation.ts';
import type { Services } from '#server/services.ts';
import { listSnapshots, readSnapshot, recordAt } from '#server/volumes/list-volumes.ts';
import {
  changeVolumeSnapshot,
  createVolumeSnapshot,
  deleteVolumeSnapshot,
  renameVolumeSnapshot,
} from '#server/volumes/snapshots.ts';
import { checkSnapshotName, type CustomAt, volumePath } from '#server/volumes/volume.ts';
import { assertEtag } from '../../etag.ts';
import { wantsWhole } from '../request.ts';
import { accepted, type ApiRequest, type Reply, type Route, sync } from '../route.ts';
import { sendVolumeAway } from './volume-migration.ts';
import {
  customAt,
  namedVolume,
  volumeOperation,
  volumeSnapshotPut,
  volumeSnapshotsPost,
  volumePost,
} from './volume-request.ts';

const all = '/1.0/storage-pools/:pool/volumes/:type/:volume/snapshots';
const one = `${all}/:snapshot`;

export const volumeSnapshotRoutes: readonly Route[] = [
  { method: 'GET', path: all, access: 'project', handle: list },
  { method: 'POST', path: all, access: 'project', body: volumeSnapshotsPost, handle: create },
  { method: 'GET', path: one, access: 'project', handle: read },
  { method: 'PUT', path: one, access: 'project', body: volumeSnapshotPut, handle: put },
  { method: 'PATCH', path: one, access: 'project', body: volumeSnapshotPut, handle: put },
  { method: 'POST', path: one, access: 'project', body: volumePost, handle: rename },
  { method: 'DELETE', path: one, access: 'project', handle: remove },
];

async function list(services: Services, request: ApiRequest): Promise<Reply> {
  const at = namedVolume(request);
  const snapshots = await listSnapshots(services, at);
  if (wantsWhole(request.query))
    return sync(snapshots.map(snapshot => ({ ...snapshot, name: `${at.name}/${snapshot.name}` })));
  const query = request.project === 'default' ? '' : `?project=${encodeURIComponent(request.project)}`;
  const folder = `${volumePath(at.pool, at.name, at.type)}/snapshots`;
  return sync(snapshots.map(({ name }) => `${folder}/${encodeURIComponent(name)}${query}`));
}

async function read(services: Services, request: ApiRequest): Promise<Reply> {
  const snapshot = await readSnapshot(services, namedVolume(request), request.params['snapshot'] ?? '');
  return sync(snapshot, writable(snapshot));
}

async function create(services: Services, request: ApiRequest): Promise<Reply> {
  const at = await changeable(services, request);
  // no other members: they would be taken for the daemon's own
  const { name = '', expires_at } = (request.body ?? {}) as { name?: string; expires_at?: string };
  const asked = { name, ...(expires_at !== undefined && { expires_at }) };
  if (name) {
    checkSnapshotName(name);
    const taken = await listSnapshots(services, namedVolume(request));
    if (taken.some(snapshot => snapshot.name === name))
      throw new ApiError('already-exists', `Snapshot "${name}" already in use`);
  }
  const { requestor } = request.caller;
  return accepted(
    services.operations.run(
      volumeOperation(request, 'Snapshotting storage volume', at.pool, at.name),
      async context => {
        await createVolumeSnapshot(services, at, asked, { signal: context.signal, requestor });
      },
    ),
  );
}

async function put(services: Services, request: ApiRequest): Promise<Reply> {
  const at = await changeable(services, request);
  const body = (request.body ?? {}) as { description?: string; expires_at?: string };
  const whole = request.method === 'PUT';
  await changeVolumeSnapshot(
    services,
    at,
    request.params['snapshot'] ?? '',
    current => {
      const { description, expiresAt } = current;
      assertEtag(request.headers['if-match'], { description, expires_at: expiresAt });
      return whole ? { description: body.description ?? '', expires_at: body.expires_at ?? zeroTime } : body;
    },
    { requestor: request.caller.requestor },
  );
  return sync();
}

async function rename(services: Services, request: ApiRequest): Promise<Reply> {
  const at = await changeable(services, request);
  const from = await existing(services, request);
  const { name, migration } = request.body as StorageVolumePost;
  if (migration) return sendVolumeAway(services, request, at, from);
  checkSnapshotName(name);
  const { requestor } = request.caller;
  return accepted(
    services.operations.run(snapshotOperation(request, 'Renaming storage volume snapshot', at, from), ({ signal }) =>
      renameVolumeSnapshot(services, at, { from, to: name }, { signal, requestor }),
    ),
  );
}

async function remove(services: Services, request: ApiRequest): Promise<Reply> {
  const at = await changeable(services, request);
  const name = await existing(services, request);
  const { requestor } = request.caller;
  return accepted(
    services.operations.run(snapshotOperation(request, 'Deleting storage volume snapshot', at, name), ({ signal }) =>
      deleteVolumeSnapshot(services, at, name, { signal, requestor }),
    ),
  );
}

/** Snapshots of instances are made and changed through the instance. */
async function changeable(services: Services, request: ApiRequest): Promise<CustomAt> {
  const at = namedVolume(request);
  if (at.type !== 'custom') throw new ApiError('invalid-argument', `Invalid storage volume type "${at.type}"`);
  await services.database.read(reader => recordAt(reader, at));
  return await customAt(services, request, at);
}

async function existing(services: Services, request: ApiRequest): Promise<string> {
  return (await readSnapshot(services, namedVolume(request), request.params['snapshot'] ?? '')).name;
}

function snapshotOperation(request: ApiRequest, what: string, at: CustomAt, snapshot: string): OperationRequest {
  const operation = volumeOperation(request, what, at.pool, at.name);
  const url = `${volumePath(at.pool, at.name)}/snapshots/${encodeURIComponent(snapshot)}`;
  return { ...operation, resources: { ...operation.resources, storage_volume_snapshots: [url] } };
}

function writable({ description, expires_at }: StorageVolumeSnapshot): unknown {
  return { description, expires_at };
}
