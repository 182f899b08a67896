import path from 'node:path';
import type { Envelope } from '#api/envelope.ts';
import { invalid } from '#api/error.ts';
import { deleteFile, getFile, putFile, statFile, type FileUpload } from '../../instances/files.ts';
import { reachFiles } from '../../instances/reach-instance.ts';
import type { FileEntry } from '../../runtime/runtime.ts';
import type { Services } from '../../services.ts';
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
  const headers = { ...entryHeaders(entry), ...contentHeaders(file), 'content-length': String(entry.size) };
  return { kind: 'raw', headers, body: undefined };
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

/** The X-LXD-* headers of an upload. */
export function uploadOf({ headers, stream }: Pick<ApiRequest, 'headers' | 'stream'>): FileUpload {
  const kind = headers['x-lxd-type'] || 'file';
  if (kind !== 'file' && kind !== 'directory' && kind !== 'symlink') {
    throw invalid('X-LXD-type', `"${kind}" is none of file, directory and symlink`);
  }
  const write = headers['x-lxd-write'] || 'overwrite';
  if (write !== 'overwrite' && write !== 'append') {
    throw invalid('X-LXD-write', `"${write}" is neither overwrite nor append`);
  }
  const uid = numberOf(headers, 'X-LXD-uid', /^\d{1,10}$/, 10);
  const gid = numberOf(headers, 'X-LXD-gid', /^\d{1,10}$/, 10);
  const mode = numberOf(headers, 'X-LXD-mode', /^(0o?)?[0-7]{1,4}$/, 8);
  const owner = {
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(mode !== undefined && { mode }),
  };
  return { kind, owner, append: write === 'append', content: stream };
}

function numberOf(headers: ApiRequest['headers'], name: string, pattern: RegExp, base: 8 | 10): number | undefined {
  const text = headers[name.toLowerCase()];
  if (text === undefined || text === '') return undefined;
  const value = pattern.test(text) ? Number.parseInt(text.replace('o', ''), base) : Number.NaN;
  if (Number.isNaN(value) || value >= 2 ** 32 - 1) throw invalid(name, `"${text}" is no valid number`);
  return value;
}

function entryHeaders(entry: FileEntry): Record<string, string> {
  return {
    'X-LXD-uid': String(entry.uid),
    'X-LXD-gid': String(entry.gid),
    'X-LXD-mode': entry.mode.toString(8).padStart(4, '0'),
    'X-LXD-type': entry.kind,
    'X-LXD-modified': modifiedText(entry.modified),
  };
}

/** The way Go prints times, which is what clients of LXD parse: "2026-01-02 03:04:05 +0000 UTC". */
function modifiedText(seconds: number): string {
  const time = new Date(seconds * 1000);
  const valid = Number.isNaN(time.getTime()) ? new Date(0) : time;
  return `${valid.toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;
}

function contentHeaders(file: string): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'content-disposition': `inline;filename=${encodeURIComponent(path.posix.basename(file))}`,
  };
}

function success(metadata: unknown): Envelope {
  return { type: 'sync', status: 'Success', status_code: 200, operation: '', error_code: 0, error: '', metadata };
}
