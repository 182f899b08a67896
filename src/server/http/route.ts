import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import type { Requestor } from '#api/event.ts';
import type { Operation } from '#api/operation.ts';
import type { Services } from '../services.ts';

/** What a client may do: decided by how it connected and by its certificate. */
export interface Caller {
  /** false for clients without a trusted certificate */
  readonly trusted: boolean;
  /** may do everything: the unix socket and unrestricted certificates */
  readonly admin: boolean;
  /** a certificate that may read metrics and nothing else */
  readonly metrics: boolean;
  /** projects that a restricted certificate may use; undefined = all */
  readonly projects: readonly string[] | undefined;
  /** SHA-256 of the presented client certificate, lower-case hex */
  readonly fingerprint: string | undefined;
  /** PEM of the presented client certificate */
  readonly certificate: string | undefined;
  readonly requestor: Requestor;
}

export interface ApiRequest {
  readonly method: string;
  /** decoded path parameters, each checked to be one segment without control characters */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** parsed JSON, checked by the route's schema; undefined for streams and when there is no body */
  readonly body: unknown;
  /** the raw body, for routes with `body: 'stream'` */
  readonly stream: Readable;
  /** from ?project=, "default" when absent; the caller may use it */
  readonly project: string;
  readonly caller: Caller;
  /** aborted when the client goes away */
  readonly signal: AbortSignal;
  readonly raw: IncomingMessage;
}

export type Reply =
  | {
      readonly kind: 'sync';
      readonly metadata: unknown;
      /** writable part of the object: its digest becomes the ETag */ readonly etag?: unknown;
    }
  /** ready-made JSON text of the metadata */
  | { readonly kind: 'sync-text'; readonly metadataText: string }
  | { readonly kind: 'created'; readonly location: string }
  | { readonly kind: 'accepted'; readonly operation: Operation }
  /** a file or other raw body */
  | {
      readonly kind: 'raw';
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Readable | Buffer | string | undefined;
      readonly status?: number;
    }
  /** the route takes over the connection after answering 101 itself */
  | { readonly kind: 'hijacked' };

/** A subset of JSON schema (draft 7) as ajv understands it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Who may call a route. A route without a policy does not compile, and does not start. */
export type Access =
  /** anybody; the route narrows what strangers see */
  | 'open'
  /** any trusted client; for restricted ones the route filters by project */
  | 'trusted'
  /** unrestricted trusted clients */
  | 'admin'
  /** trusted clients that may use the project of the request */
  | 'project';

export interface Route {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** such as /1.0/instances/:name */
  readonly path: string;
  readonly access: Access;
  /** the route itself keeps ?all-projects=true to the projects that the caller may use */
  readonly allProjects?: boolean;
  /** schema of a JSON body, or a raw stream; absent = no body is read */
  readonly body?: JsonSchema | 'stream' | 'json-or-stream';
  /** answers requests whose body is of type application/octet-stream, instead of `handle` and `body` */
  readonly upload?: (services: Services, request: ApiRequest) => Promise<Reply>;
  /** path parameters may hold "/", written %2F: for image aliases, which are no file names */
  readonly slashes?: boolean;
  handle(services: Services, request: ApiRequest): Promise<Reply> | Reply;
}

/** A route that answers an HTTP upgrade (websocket, sftp). */
export interface UpgradeRoute {
  readonly path: string;
  readonly access: Access;
  /** as in Route */
  readonly allProjects?: boolean;
  readonly protocol: 'websocket' | 'sftp';
  handle(services: Services, request: ApiRequest, upgrade: UpgradeSocket): Promise<void> | void;
}

export interface UpgradeSocket {
  /** completes the websocket handshake */
  websocket(): Promise<import('ws').WebSocket>;
  /** completes the upgrade to a raw stream */
  raw(): Duplex;
}

export function sync(metadata: unknown = {}, etag?: unknown): Reply {
  return etag === undefined ? { kind: 'sync', metadata } : { kind: 'sync', metadata, etag };
}

export function created(location: string): Reply {
  return { kind: 'created', location };
}

export function accepted(operation: Operation): Reply {
  return { kind: 'accepted', operation };
}
