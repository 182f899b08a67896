import { fileHistory } from '../../instances/file-history.ts';
import { getFile, listFiles, statFile } from '../../instances/files.ts';
import { reachSnapshotFiles } from '../../instances/reach-snapshot.ts';
import type { Services } from '../../services.ts';
import { wantsWhole } from '../request.ts';
import { sync, type ApiRequest, type Reply, type Route } from '../route.ts';
import { fileHeadReply, fileReply, pathOf } from './file-reply.ts';

const url = '/1.0/instances/:name/snapshots/:snapshot/files';

/** Ours: what LXD answers of the files of an instance, of those in a snapshot; and what became of a file over time. */
export const snapshotFileRoutes: readonly Route[] = [
  { method: 'GET', path: url, access: 'project', handle: read },
  { method: 'HEAD', path: url, access: 'project', handle: head },
  { method: 'GET', path: '/1.0/instances/:name/file-history', access: 'project', handle: history },
];

async function read(services: Services, request: ApiRequest): Promise<Reply> {
  const file = pathOf(request);
  const snapshot = await reach(services, request);
  if (wantsWhole(request.query)) return sync(await listFiles(services, snapshot, file));
  return fileReply(file, await getFile(services, snapshot, file, request.caller.requestor));
}

async function head(services: Services, request: ApiRequest): Promise<Reply> {
  const file = pathOf(request);
  return fileHeadReply(file, await statFile(services, await reach(services, request), file));
}

async function history(services: Services, request: ApiRequest): Promise<Reply> {
  const { params, project, signal } = request;
  return sync(await fileHistory(services, project, params['name'] ?? '', pathOf(request), signal));
}

async function reach(services: Services, { params, project }: ApiRequest): ReturnType<typeof reachSnapshotFiles> {
  return await reachSnapshotFiles(services, project, params['name'] ?? '', params['snapshot'] ?? '');
}
