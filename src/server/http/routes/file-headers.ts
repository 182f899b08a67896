import path from 'node:path';
import { invalid } from '#api/error.ts';
import { type FileUpload, modeText, timeText } from '../../instances/files.ts';
import type { FileEntry } from '../../runtime/runtime.ts';
import type { ApiRequest } from '../route.ts';

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

/** The X-LXD-* headers of an answer. */
export function entryHeaders(entry: FileEntry): Record<string, string> {
  return {
    'X-LXD-uid': String(entry.uid),
    'X-LXD-gid': String(entry.gid),
    'X-LXD-mode': modeText(entry.mode),
    'X-LXD-type': entry.kind,
    'X-LXD-modified': modifiedText(entry.modified),
  };
}

/** The way Go prints times, which is what clients of LXD parse: "2026-01-02 03:04:05 +0000 UTC". */
function modifiedText(seconds: number): string {
  return `${timeText(seconds).slice(0, 19).replace('T', ' ')} +0000 UTC`;
}

export function contentHeaders(file: string): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'content-disposition': `inline;filename=${encodeURIComponent(path.posix.basename(file))}`,
  };
}
