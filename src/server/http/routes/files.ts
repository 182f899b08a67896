import { deleteFile, getFile, listFiles, putFile, statFile } from '../../instances/files.ts';
import { reachFiles } from '../../instances/reach-instance.ts';
import type { Services } from '../../services.ts';
import { wantsWhole } from '../request.ts';
import { sync, type ApiRequest, type Reply, type Route } from '../route.ts';
import { uploadOf } from './file-headers.ts';
import { fileHeadReply, fileReply, pathOf } from './file-reply.ts';

const url = '/1.0/instances/:name/files';

export const fileRoutes: readonly Route[] = [
  { method: 'GET', path: url, access: 'project', handle: getFileRoute },
  { method: 'HEAD', path: url, access: 'project', handle: headFileRoute },
  { method: 'POST', path: url, access: 'project', body: 'stream', handle: postFileRoute },
  {
    method: 'DELETE',
    path: url,
    access: 'project',
    handle: async (services, request) => {
      const file = pathOf(request);
      await deleteFile(services, await reach(services, request), file, request.caller.requestor);
      return sync();
    },
  },
];

async function getFileRoute(services: Services, request: ApiRequest): Promise<Reply> {
  const file = pathOf(request);
  const instance = await reach(services, request);
  if (wantsWhole(request.query)) return sync(await listFiles(services, instance, file));
  return fileReply(file, await getFile(services, instance, file, request.caller.requestor));
}

async function headFileRoute(services: Services, request: ApiRequest): Promise<Reply> {
  const file = pathOf(request);
  return fileHeadReply(file, await statFile(services, await reach(services, request), file));
}

async function postFileRoute(services: Services, request: ApiRequest): Promise<Reply> {
  const file = pathOf(request);
  const upload = uploadOf(request);
  await putFile(services, await reach(services, request), file, upload, request.caller.requestor);
  return sync();
}

async function reach(services: Services, { params, project }: ApiRequest): ReturnType<typeof reachFiles> {
  return await reachFiles(services, project, params['name'] ?? '');
}
