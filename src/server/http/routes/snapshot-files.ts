import type { FileRestorePost } from '#api/file.ts';
import { formatSize } from '#base/units.ts';
import { fileHistory } from '../../instances/file-history.ts';
import { getFile, listFiles, statFile } from '../../instances/files.ts';
import { reachSnapshotFiles } from '../../instances/reach-snapshot.ts';
import { restoreFiles } from '../../instances/restore-files.ts';
import type { RestoreProgress } from '../../runtime/runtime.ts';
import type { Services } from '../../services.ts';
import { wantsWhole } from '../request.ts';
import { accepted, sync, type ApiRequest, type Reply, type Route } from '../route.ts';
import { fileRestorePost } from './instance-schemas.ts';
import { snapshotMustExist, snapshotOperation } from './snapshots.ts';
import { fileHeadReply, fileReply, pathOf } from './file-reply.ts';

const snapshot = '/1.0/instances/:name/snapshots/:snapshot';
const url = `${snapshot}/files`;

/** Ours: what LXD answers of the files of an instance, of those in a snapshot; and what became of a file over time. */
export const snapshotFileRoutes: readonly Route[] = [
  { method: 'GET', path: url, access: 'project', handle: read },
  { method: 'HEAD', path: url, access: 'project', handle: head },
  { method: 'POST', path: `${snapshot}/file-restore`, access: 'project', body: fileRestorePost, handle: restore },
  { method: 'GET', path: '/1.0/instances/:name/file-history', access: 'project', handle: history },
];

async function read(services: Services, request: ApiRequest): Promise<Reply> {
  const file = pathOf(request);
  const files = await reach(services, request);
  if (wantsWhole(request.query)) return sync(await listFiles(services, files, file));
  return fileReply(file, await getFile(services, files, file, request.caller.requestor));
}

async function head(services: Services, request: ApiRequest): Promise<Reply> {
  const file = pathOf(request);
  return fileHeadReply(file, await statFile(services, await reach(services, request), file));
}

async function restore(services: Services, request: ApiRequest): Promise<Reply> {
  const { name: instance = '', snapshot: from = '' } = request.params;
  const { project } = request;
  const { requestor } = request.caller;
  await snapshotMustExist(services, project, instance, from);
  const body = request.body as FileRestorePost;
  const operation = snapshotOperation(request, 'Restoring files', instance, from);
  return accepted(
    services.operations.run({ ...operation, mayCancel: true }, async running => {
      const onProgress = ({ files, bytes }: RestoreProgress): void =>
        running.update({ restore_files_progress: `${String(files)} files, ${formatSize(bytes)}` });
      const asked = { project, instance, snapshot: from, request: body };
      return { ...(await restoreFiles(services, asked, { signal: running.signal, requestor, onProgress })) };
    }),
  );
}

async function history(services: Services, request: ApiRequest): Promise<Reply> {
  const { params, project, signal } = request;
  return sync(await fileHistory(services, project, params['name'] ?? '', pathOf(request), signal));
}

async function reach(services: Services, { params, project }: ApiRequest): ReturnType<typeof reachSnapshotFiles> {
  return await reachSnapshotFiles(services, project, params['name'] ?? '', params['snapshot'] ?? '');
}
