import type { Duplex, Readable } from 'node:stream';
import type { Envelope } from '#api/envelope.ts';
import { ApiError, errorStatus, type ErrorCode } from '#api/error.ts';
import type { Operation } from '#api/operation.ts';
import type { RawAnswer, RawRequest, Target } from './http.ts';
import type { Socket } from './websocket.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface CallOptions {
  readonly query?: Query;
  /** sent as JSON */
  readonly body?: unknown;
  /** raw body instead of JSON */
  readonly upload?: Readable | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** ETag that the object must still have */
  readonly ifMatch?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer<T> {
  readonly metadata: T;
  readonly etag: string | undefined;
  /** present when the server answered with a background operation */
  readonly operation: Operation | undefined;
}

/** One server, spoken to in LXD's REST API 1.0. Failures arrive as `ApiError`. */
export class Transport {
  readonly target: Target;
  /** project of every request that names none; undefined = the server's default */
  readonly project: string | undefined;

  constructor(target: Target, project?: string) {
    this.target = target;
    this.project = project;
  }

  /** The same server seen through another project. */
  inProject(project: string | undefined): Transport {
    return new Transport(this.target, project);
  }

  /** A call that is answered by the JSON envelope. */
  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<Answer<T>> {
    const answer = await this.send(method, path, options);
    const text = await readAll(answer.body);
    const envelope = parseEnvelope<T>(text, answer.status);
    if (envelope.type === 'error') throw errorOf(envelope, answer.status);
    return {
      metadata: envelope.metadata,
      etag: answer.headers['etag'],
      operation: envelope.type === 'async' ? (envelope.metadata as unknown as Operation) : undefined,
    };
  }

  /** A call that is answered by a file, or by the envelope of an error. */
  async download(
    path: string,
    { method = 'GET', ...options }: CallOptions & { readonly method?: string } = {},
  ): Promise<RawAnswer> {
    const answer = await this.send(method, path, options);
    if (answer.status >= 400) {
      const text = await readAll(answer.body);
      throw errorOf(parseEnvelope(text, answer.status), answer.status);
    }
    return answer;
  }

  /** The answer as it came, whatever it says; for `query --raw`. */
  async raw(method: string, path: string, options: CallOptions = {}): Promise<{ status: number; text: string }> {
    const answer = await this.send(method, path, options);
    return { status: answer.status, text: await readAll(answer.body) };
  }

  async socket(path: string, query: Query = {}): Promise<Socket> {
    const { openSocket } = await import('./websocket.ts');
    return openSocket(this.target, this.url(path, query));
  }

  /** A connection that leaves HTTP for another protocol. */
  async upgrade(path: string, protocol: string): Promise<Duplex> {
    const { openUpgrade } = await import('./upgrade.ts');
    return openUpgrade(this.target, this.url(path, {}), protocol);
  }

  private async send(method: string, path: string, options: CallOptions): Promise<RawAnswer> {
    const headers: Record<string, string> = { ...options.headers };
    if (options.ifMatch !== undefined) headers['if-match'] = options.ifMatch;
    let body: RawRequest['body'] = options.upload;
    if (options.body !== undefined) {
      headers['content-type'] = 'application/json';
      body = Buffer.from(JSON.stringify(options.body));
    } else if (body !== undefined) {
      headers['content-type'] ??= 'application/octet-stream';
    }
    const request: RawRequest = {
      method,
      path: this.url(path, options.query ?? {}),
      headers,
      ...(body === undefined ? {} : { body }),
      ...(options.signal ? { signal: options.signal } : {}),
    };
    if (this.target.kind === 'unix' && !isStream(body)) {
      const { sendOverSocket } = await import('./unix-http.ts');
      return sendOverSocket(this.target.path, request);
    }
    const { sendHttp } = await import('./http.ts');
    return sendHttp(this.target, request);
  }

  private url(path: string, query: Query): string {
    const parameters = new URLSearchParams();
    const [bare = '', given] = path.split('?', 2);
    for (const [key, value] of new URLSearchParams(given)) parameters.append(key, value);
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) parameters.set(key, String(value));
    }
    if (this.project !== undefined && !parameters.has('project') && !parameters.has('all-projects')) {
      parameters.set('project', this.project);
    }
    const text = parameters.toString();
    return text ? `${bare}?${text}` : bare;
  }
}

export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function isStream(body: RawRequest['body']): body is Readable {
  return body !== undefined && !(body instanceof Uint8Array);
}

function parseEnvelope<T>(text: string, status: number): Envelope<T> {
  try {
    return JSON.parse(text) as Envelope<T>;
  } catch {
    throw new ApiError(codeOfStatus(status), `The server answered with status ${String(status)} and no JSON`);
  }
}

/** The server's error as it was thrown there; other servers send no code of ours, so theirs is found by the status. */
function errorOf(envelope: Envelope, status: number): ApiError {
  const code =
    envelope.code && envelope.code in errorStatus ? envelope.code : codeOfStatus(envelope.error_code || status);
  return new ApiError(code, envelope.error || `The server answered with status ${String(status)}`);
}

function codeOfStatus(status: number): ErrorCode {
  for (const [code, value] of Object.entries(errorStatus)) {
    if (value === status) return code as ErrorCode;
  }
  return 'internal';
}
