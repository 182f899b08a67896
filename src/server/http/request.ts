import type { IncomingMessage } from 'node:http';
import { defaultProject } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { hasControlCharacters } from '#base/names.ts';
import { assertEtag } from '../etag.ts';
import type { Change } from '../networks/change.ts';
import type { ApiRequest, Caller } from './route.ts';

interface RequestParts {
  readonly raw: IncomingMessage;
  readonly params: Readonly<Record<string, string>>;
  readonly query: string;
  readonly caller: Caller;
  readonly signal: () => AbortSignal;
}

/** The request as routes see it, still without its body. */
export function apiRequest({ raw, params, query: text, caller, signal }: RequestParts): Omit<ApiRequest, 'body'> {
  const query = parseQuery(text);
  const project = query['project'] ?? '';
  return {
    method: raw.method ?? 'GET',
    params,
    query,
    headers: raw.headers as Readonly<Record<string, string | undefined>>,
    stream: raw,
    project: project === '' ? defaultProject : project,
    caller,
    get signal(): AbortSignal {
      return signal();
    },
    raw,
  };
}

/** What PUT (replace) or PATCH (merge) asks of an object, when the client saw its writable part (If-Match). */
export function changeOf<T>({ method, headers, caller }: ApiRequest, writable: (before: T) => unknown): Change<T> {
  return {
    mode: method === 'PATCH' ? 'merge' : 'replace',
    assertUnchanged: before => assertEtag(headers['if-match'], writable(before)),
    requestor: caller.requestor,
  };
}

/** True for a list of objects as a whole, instead of their URLs: ?recursion=1. */
export function wantsWhole(query: ApiRequest['query']): boolean {
  return Number(query['recursion'] ?? 0) > 0;
}

/** True for ?all-projects=true. */
export function wantsAllProjects(query: ApiRequest['query']): boolean {
  return query['all-projects'] === 'true' || query['all-projects'] === '1';
}

/**
 * Projects that a list is about: the request's, or with ?all-projects=true all that the caller may use; undefined = all
 * there are.
 */
export function projectsOf({ query, project, caller }: ApiRequest): readonly string[] | undefined {
  if (!wantsAllProjects(query)) return [project];
  if (query['project']) throw new ApiError('invalid-argument', 'Cannot specify a project when requesting all projects');
  return caller.projects;
}

function parseQuery(text: string): Readonly<Record<string, string>> {
  const query = Object.create(null) as Record<string, string>;
  for (const [key, value] of new URLSearchParams(text)) {
    if (hasControlCharacters(value))
      throw new ApiError('invalid-argument', `Invalid "${key}": must not hold control characters`);
    if (!Object.hasOwn(query, key)) query[key] = value;
  }
  return query;
}
