import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ApiError, invalid } from '#api/error.ts';
import { hostOf } from '#base/url-host.ts';
import { pinCertificate } from '../http.ts';
import { proxyFor, type ProxySettings } from '../proxy.ts';
import { proxyOptions, tunnel } from '../tunnel.ts';

export interface WebOptions {
  readonly method?: 'GET' | 'HEAD';
  /** PEM that the server must present; empty = the system's authorities decide */
  readonly certificate: string;
  readonly proxies: ProxySettings;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const maxRedirects = 5;
const silenceMs = 60_000;

/**
 * One request for a file of a web server; redirects are followed, but never from HTTPS to HTTP. Throws "not-found",
 * "unavailable" or "invalid-argument"; a server that falls silent counts as unavailable.
 */
export async function openWeb(url: URL, options: WebOptions): Promise<IncomingMessage> {
  let at = url;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const answer = await send(at, options);
    const { statusCode = 0, headers } = answer;
    if (statusCode === 200) return answer;
    answer.destroy();
    if (statusCode < 300 || statusCode > 399 || headers.location === undefined) throw refusal(at, statusCode);
    at = redirected(at, headers.location);
  }
  throw new ApiError('unavailable', `Cannot fetch ${url.href}: it redirects too often`);
}

/** The whole of a text file, of at most `limit` bytes. */
export async function fetchText(url: URL, limit: number, options: WebOptions): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of await openWeb(url, options)) {
    size += (chunk as Buffer).length;
    if (size > limit) throw new ApiError('invalid-argument', `Cannot read ${url.href}: it is too large`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The URL of a server, checked; plain HTTP only for this machine or where `plain` allows it. */
export function serverUrl(text: string, { plain = false }: { readonly plain?: boolean } = {}): URL {
  if (!URL.canParse(text) || text.length > 4096) throw invalid('source.server', 'must be a URL such as https://HOST');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw invalid('source.server', 'must not hold a password');
  const allowed = url.protocol === 'https:' || (url.protocol === 'http:' && (plain || isLoopback(url)));
  if (!allowed) throw invalid('source.server', 'must be an https:// URL');
  return url;
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  const safe = to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:');
  if (!to || !safe) throw new ApiError('unavailable', `Cannot follow the redirect of ${from.href}: it is not HTTPS`);
  return to;
}

async function send(
  url: URL,
  { method = 'GET', certificate, proxies, headers, signal }: WebOptions,
): Promise<IncomingMessage> {
  signal.throwIfAborted();
  const pinned = certificate !== '' && url.protocol === 'https:';
  const { start, ...way } = wayTo(url, proxyFor(url, proxies));
  return await new Promise((resolve, reject) => {
    const outgoing = start(
      {
        ...way,
        method,
        headers: { 'user-agent': 'lxd-like', accept: '*/*', ...(way.headers as Record<string, string>), ...headers },
        signal,
        timeout: silenceMs,
        // a pinned certificate is its own authority: its bytes are compared instead
        ...(pinned && { rejectUnauthorized: false }),
      },
      resolve,
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('it does not answer')));
    outgoing.on('error', (error: Error) => {
      if (signal.aborted || ApiError.is(error)) reject(signal.aborted ? (signal.reason as Error) : error);
      else reject(new ApiError('unavailable', `Cannot reach ${url.origin}: ${error.message}`, { cause: error }));
    });
    if (pinned) pinCertificate(outgoing, { kind: 'tls', url: url.origin, serverCertificate: certificate });
    outgoing.end();
  });
}

/** Encrypted requests go through a tunnel of the proxy; plain ones are given to it with their whole URL (RFC 9112 3.2.2). */
function wayTo(url: URL, proxy: URL | undefined): RequestOptions & { readonly start: typeof httpRequest } {
  if (proxy && url.protocol === 'http:') {
    const { start, headers, ...way } = proxyOptions(proxy);
    return { start, ...way, agent: false, path: url.href, headers: { ...headers, host: url.host } };
  }
  const { pathname, search } = url;
  const isSecure = url.protocol === 'https:';
  return {
    start: isSecure ? httpsRequest : httpRequest,
    host: hostOf(url),
    port: url.port || (isSecure ? 443 : 80),
    path: `${pathname}${search}`,
    ...(proxy ? { createConnection: tunnel(proxy) } : { agent: false }),
  };
}

function refusal(url: URL, status: number): ApiError {
  const code = status === 404 || status === 410 ? 'not-found' : 'unavailable';
  return new ApiError(code, `Cannot fetch ${url.href}: the server answers with status ${String(status)}`);
}
