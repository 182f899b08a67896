import type { Envelope } from '#api/envelope.ts';
import { invalid } from '#api/error.ts';
import type { FoundFile } from '../../instances/files.ts';
import type { FileEntry } from '../../runtime/runtime.ts';
import type { ApiRequest, Reply } from '../route.ts';
import { contentHeaders, entryHeaders } from './file-headers.ts';

/** The path of a request for a file. */
export function pathOf(request: Pick<ApiRequest, 'query'>): string {
  const file = request.query['path'];
  if (!file) throw invalid('path', 'must be given');
  return file;
}

/** A file's content, a link's target, or names in a folder, as LXD answers them. */
export function fileReply(file: string, found: FoundFile): Reply {
  const headers = entryHeaders(found.entry);
  if (found.kind === 'directory') {
    const body = JSON.stringify(success(found.names));
    return { kind: 'raw', headers: { ...headers, 'content-type': 'application/json' }, body };
  }
  const body = found.kind === 'file' ? found.content : found.target;
  return { kind: 'raw', headers: { ...headers, ...contentHeaders(file) }, body };
}

/** What HEAD says of a file. */
export function fileHeadReply(file: string, entry: FileEntry): Reply {
  const content = entry.kind === 'file' && { ...contentHeaders(file), 'content-length': String(entry.size) };
  return { kind: 'raw', headers: { ...entryHeaders(entry), ...content }, body: undefined };
}

function success(metadata: unknown): Envelope {
  return { type: 'sync', status: 'Success', status_code: 200, operation: '', error_code: 0, error: '', metadata };
}
