import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { ApiError } from '#api/error.ts';
import type { Services } from '../services.ts';
import { authorize, checkProject, refuseOtherOrigins, refuseWhileStopping, waitsForRecovery } from './access.ts';
import { crossOriginHeaders, originAllowed } from './cross-origin.ts';
import { toApiError } from './error-handler.ts';
import { readJson } from './json-body.ts';
import { modernTarget, PathPattern, splitTarget } from './path-pattern.ts';
import { errorEnvelope, sendReply } from './reply.ts';
import { apiRequest } from './request.ts';
import type { ApiRequest, Caller, Route, UpgradeRoute } from './route.ts';
import { dropUnreadBody } from './unread-body.ts';
import { validateBody } from './validation.ts';

export interface AppParts {
  readonly services: Services;
  readonly routes: readonly Route[];
  readonly upgrades: readonly UpgradeRoute[];
  /** who sends a request */
  readonly authenticate: (request: IncomingMessage) => Caller;
}

export interface App {
  /** handles one request of any listener */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  readonly fastify: FastifyInstance;
}

/** The API over all listeners: one router, one error border, one access check per route. */
export async function buildApp(parts: AppParts): Promise<App> {
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    rewriteUrl: request => modernTarget(request.url ?? '/'),
    // find-my-way must not refuse long image aliases and volume names; our own checks follow
    routerOptions: { maxParamLength: 1024 },
    serverFactory: handler => createServer(handler),
    frameworkErrors: (error, request, reply) => void sendError(parts, request, reply, error),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.setErrorHandler((error, request, reply) => sendError(parts, request, reply, error));
  const patterns = [...parts.routes, ...parts.upgrades].map(route => new PathPattern(route.path));
  app.setNotFoundHandler(async (request, reply) => {
    const preflight = request.method === 'OPTIONS' && originAllowed(parts.services.settings, request.headers.origin);
    if (preflight) await reply.headers(crossOriginHeaders(parts.services.settings, request.headers)).send();
    else await sendError(parts, request, reply, notRouted(request, patterns));
  });
  const heads = new Set(parts.routes.filter(route => route.method === 'HEAD').map(route => route.path));
  for (const route of parts.routes) {
    register(app, parts, route, route.method);
    if (route.method === 'GET' && !heads.has(route.path)) register(app, parts, route, 'HEAD');
  }
  await app.ready();
  return { handle: (request, response) => app.routing(request, response), fastify: app };
}

function register(app: FastifyInstance, parts: AppParts, route: Route, method: Route['method']): void {
  const pattern = new PathPattern(route.path, route.slashes);
  app.route({
    method,
    url: route.path,
    handler: async (request, reply) => {
      try {
        const { path, query } = splitTarget(request.raw.url ?? '/');
        refuseOtherOrigins(request.raw, parts.services.settings);
        reply.headers(crossOriginHeaders(parts.services.settings, request.headers));
        refuseWhileStopping(parts.services.control.shuttingDown, method, path);
        if (!pattern.matches(path)) throw notRouted(request, []);
        const caller = parts.authenticate(request.raw);
        const params = pattern.parameters(path);
        const signal = lazySignal(reply);
        const bare = apiRequest({ raw: request.raw, params, query, caller, signal });
        authorize(route, bare);
        await checkProject(parts.services.database, route, bare);
        if (waitsForRecovery(path)) await parts.services.control.recovered();
        // spreading would read the getter of `signal`
        const upload = bare.headers['content-type'] === 'application/octet-stream' ? route.upload : undefined;
        const body = upload ? undefined : await readBody(route, bare);
        const complete = Object.defineProperty(bare, 'body', { value: body }) as ApiRequest;
        const { services } = parts;
        await sendReply(reply, await (upload ? upload(services, complete) : route.handle(services, complete)));
      } catch (error) {
        await sendError(parts, request, reply, error);
      }
      return reply;
    },
  });
}

async function readBody(route: Route, request: Omit<ApiRequest, 'body'>): Promise<unknown> {
  if (route.body === undefined || route.body === 'stream') return undefined;
  if (route.body === 'json-or-stream') {
    const type = request.headers['content-type'] ?? '';
    // a stranger may send a stream with a secret; what else it sends is not read
    return type.startsWith('application/json') && request.caller.trusted ? await readJson(request.raw) : undefined;
  }
  const body = await readJson(request.raw);
  if (body === undefined) throw new ApiError('invalid-argument', 'The request needs a JSON body');
  validateBody(route.body, body);
  return body;
}

async function sendError(parts: AppParts, request: FastifyRequest, reply: FastifyReply, error: unknown): Promise<void> {
  if (reply.sent) {
    parts.services.log.debug('Request failed after its answer began', { url: request.url, error });
    return;
  }
  const { method, url } = request;
  const failure = toApiError(error, parts.services.log, { method, url });
  dropUnreadBody(request.raw);
  await reply
    .code(failure.status)
    .header('content-type', 'application/json')
    .send(`${JSON.stringify(errorEnvelope(failure))}\n`);
}

function notRouted(request: FastifyRequest, patterns: readonly PathPattern[]): ApiError {
  const { path } = splitTarget(request.raw.url ?? '/');
  if (patterns.some(pattern => pattern.matches(path)))
    return new ApiError('unsupported', `Method "${request.method}" is not supported on "${path}"`);
  return new ApiError('not-found', `Path "${path}" not found`);
}

function lazySignal(reply: FastifyReply): () => AbortSignal {
  let controller: AbortController | undefined;
  return () => {
    if (!controller) {
      const created = (controller = new AbortController());
      reply.raw.once('close', () => {
        if (!reply.raw.writableFinished) created.abort(new ApiError('canceled', 'The client went away'));
      });
      if (reply.raw.destroyed) created.abort(new ApiError('canceled', 'The client went away'));
    }
    return controller.signal;
  };
}
