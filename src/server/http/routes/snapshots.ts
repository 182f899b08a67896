import { zeroTime } from '#api/common.ts';
import { invalid } from '#api/error.ts';
import type { InstancePost, InstanceSnapshotsPost } from '#api/instance.ts';
import { getInstance } from '#server/database/instances.ts';
import { getSnapshot } from '#server/database/snapshots.ts';
import { diffSnapshots } from '#server/instances/diff-snapshots.ts';
import { snapshotPath } from '#server/instances/instance-services.ts';
import { inProject, listInstanceSnapshots, readInstanceSnapshot } from '#server/instances/list-instances.ts';
import {
  createSnapshot,
  deleteSnapshot,
  renameSnapshot,
  updateSnapshot,
  writableSnapshot,
} from '#server/instances/snapshots.ts';
import type { OperationRequest } from '#server/operations/operation.ts';
import type { Services } from '#server/services.ts';
import { assertEtag } from '../../etag.ts';
import { accepted, type ApiRequest, type Reply, type Route, sync } from '../route.ts';
import { instancePost, snapshotPut, snapshotsPost } from './instance-schemas.ts';
import { sendInstance } from './instance-migration.ts';
import { instanceOperation } from './instance-operation.ts';

const all = '/1.0/instances/:name/snapshots';
const one = '/1.0/instances/:name/snapshots/:snapshot';

export const snapshotRoutes: readonly Route[] = [
  { method: 'GET', path: all, access: 'project', handle: list },
  { method: 'POST', path: all, access: 'project', body: snapshotsPost, handle: create },
  { method: 'GET', path: one, access: 'project', handle: read },
  { method: 'PUT', path: one, access: 'project', body: snapshotPut, handle: put },
  { method: 'PATCH', path: one, access: 'project', body: snapshotPut, handle: put },
  { method: 'POST', path: one, access: 'project', body: instancePost, handle: rename },
  { method: 'GET', path: `${one}/diff`, access: 'project', handle: diff },
  { method: 'DELETE', path: one, access: 'project', handle: remove },
];

async function list(services: Services, { params, project, query }: ApiRequest): Promise<Reply> {
  const name = params['name'] ?? '';
  const snapshots = await listInstanceSnapshots(services, project, name);
  if (query['recursion'] === '1' || query['recursion'] === '2') return sync(snapshots);
  return sync(snapshots.map(snapshot => inProject(snapshotPath(name, snapshot.name), project)));
}

async function create(services: Services, request: ApiRequest): Promise<Reply> {
  const name = request.params['name'] ?? '';
  const { project } = request;
  const { requestor } = request.caller;
  await services.database.read(reader => getInstance(reader, project, name));
  return accepted(
    services.operations.run(instanceOperation(request, 'Snapshotting instance', [name]), async ({ signal }) => {
      // no other members: they would be taken for the daemon's own
      const { name: snapshot, stateful, expires_at } = (request.body ?? {}) as Partial<InstanceSnapshotsPost>;
      const asked = {
        name: snapshot ?? '',
        ...(stateful !== undefined && { stateful }),
        ...(expires_at !== undefined && { expires_at }),
      };
      await createSnapshot(services, project, name, asked, { signal, requestor });
    }),
  );
}

async function read(services: Services, { params, project }: ApiRequest): Promise<Reply> {
  const { record, view } = await readInstanceSnapshot(
    services,
    project,
    params['name'] ?? '',
    params['snapshot'] ?? '',
  );
  return sync(view, writableSnapshot(record));
}

async function diff(services: Services, { params, project, query, signal }: ApiRequest): Promise<Reply> {
  const { name: instance = '', snapshot: from = '' } = params;
  const asked = { project, instance, from, to: query['to'] || undefined, path: query['path'] || undefined };
  return sync(await diffSnapshots(services, asked, signal));
}

async function put(services: Services, request: ApiRequest): Promise<Reply> {
  const { name = '', snapshot = '' } = request.params;
  const { project } = request;
  const body = (request.body ?? {}) as { expires_at?: string };
  await snapshotMustExist(services, project, name, snapshot);
  if (body.expires_at === undefined && request.method === 'PATCH') return sync();
  const expiresAt = body.expires_at ?? zeroTime;
  const check = (writable: unknown): void => assertEtag(request.headers['if-match'], writable);
  return accepted(
    services.operations.run(snapshotOperation(request, 'Updating snapshot', name, snapshot), () =>
      updateSnapshot(services, project, name, snapshot, { expiresAt, check }),
    ),
  );
}

async function rename(services: Services, request: ApiRequest): Promise<Reply> {
  if ((request.body as InstancePost).migration) return await sendInstance(services, request);
  const { name = '', snapshot = '' } = request.params;
  const { project } = request;
  const { requestor } = request.caller;
  const { name: to } = request.body as InstancePost;
  if (!to) throw invalid('name', 'is required');
  await snapshotMustExist(services, project, name, snapshot);
  return accepted(
    services.operations.run(snapshotOperation(request, 'Renaming snapshot', name, snapshot), ({ signal }) =>
      renameSnapshot(services, project, name, { from: snapshot, to }, { signal, requestor }),
    ),
  );
}

async function remove(services: Services, request: ApiRequest): Promise<Reply> {
  const { name = '', snapshot = '' } = request.params;
  const { project } = request;
  const { requestor } = request.caller;
  await snapshotMustExist(services, project, name, snapshot);
  return accepted(
    services.operations.run(snapshotOperation(request, 'Deleting snapshot', name, snapshot), ({ signal }) =>
      deleteSnapshot(services, project, name, snapshot, { signal, requestor }),
    ),
  );
}

/** Throws "not-found" before an operation begins. */
export async function snapshotMustExist(
  services: Services,
  project: string,
  name: string,
  snapshot: string,
): Promise<void> {
  await services.database.read(async reader => {
    await getSnapshot(reader, (await getInstance(reader, project, name)).id, snapshot);
  });
}

/** An operation about a snapshot, for the request that asks for it. */
export function snapshotOperation(
  request: ApiRequest,
  description: string,
  name: string,
  snapshot: string,
): OperationRequest {
  const operation = instanceOperation(request, description, [name]);
  const urls = { instances_snapshots: [snapshotPath(name, snapshot)] };
  return { ...operation, resources: { ...operation.resources, ...urls } };
}
