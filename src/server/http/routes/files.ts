import type { Envelope } from '#api/envelope.ts';
import { invalid } from '#api/error.ts';
import { deleteFile, getFile, putFile, statFile } from '../../instances/files.ts';
import { reachFiles } from '../../instances/reach-instance.ts';
import type { Services } from '../../services.ts';
import { contentHeaders, entryHeaders, uploadOf } from './file-headers.ts';
import { sync, type ApiRequest, type Reply, type Route } from '../route.ts';

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
  const found = await getFile(services, await reach(services, request), file, request.caller.requestor);
  const headers = entryHeaders(found.entry);
  if (found.kind === 'directory') {
    const body = JSON.stringify(success(found.names));
    return { kind: 'raw', headers: { ...headers, 'content-type': 'application/json' }, body };
  }
  const body = found.kind === 'file' ? found.content : found.target;
  return { kind: 'raw', headers: { ...headers, ...contentHeaders(file) }, body };
}

async function headFileRoute(services: Services, request: ApiRequest): Promise<Reply> {
  const file = pathOf(request);
  const entry = await statFile(services, await reach(services, request), file);
  const content = entry.kind === 'file' && { ...contentHeaders(file), 'content-length': String(entry.size) };
  return { kind: 'raw', headers: { ...entryHeaders(entry), ...content }, body: undefined };
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

function pathOf(request: ApiRequest): string {
  const file = request.query['path'];
  if (!file) throw invalid('path', 'must be given');
  return file;
}

function success(metadata: unknown): Envelope {
  return { type: 'sync', status: 'Success', status_code: 200, operation: '', error_code: 0, error: '', metadata };
}
