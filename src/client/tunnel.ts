import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { hostOf } from '#base/url-host.ts';

interface ProxyOptions {
  readonly start: typeof httpRequest;
  readonly host: string;
  readonly port: string | number;
  readonly headers: Readonly<Record<string, string>>;
}

/** What reaches the proxy itself, for node:http and node:https. */
export function proxyOptions(proxy: URL): ProxyOptions {
  const secret = [proxy.username, proxy.password].map(decodeURIComponent).join(':');
  return {
    start: proxy.protocol === 'https:' ? httpsRequest : httpRequest,
    host: hostOf(proxy),
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    headers: { ...(secret !== ':' && { 'proxy-authorization': `Basic ${Buffer.from(secret).toString('base64')}` }) },
  };
}

/**
 * Reaches a host by a tunnel of the proxy (CONNECT, RFC 9110 section 9.3.6), which sees the host's name and encrypted
 * bytes only. The TLS handshake has not begun when this resolves.
 */
export async function openTunnel(proxy: URL, options: ConnectionOptions): Promise<TLSSocket> {
  const host = options.host ?? '';
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${String(options.port)}`;
  const { start, headers, ...way } = proxyOptions(proxy);
  const asking = start({
    ...way,
    agent: false,
    headers: { ...headers, host: authority },
    method: 'CONNECT',
    path: authority,
  });
  return await new Promise((resolve, reject) => {
    asking.once('connect', (answer, socket) => {
      if (answer.statusCode === 200) {
        resolve(tlsConnect({ ...options, socket, servername: isIP(host) === 0 ? host : '' }));
        return;
      }
      socket.destroy();
      reject(new Error(`the proxy ${proxy.host} refuses with status ${String(answer.statusCode)}`));
    });
    asking.once('error', error => reject(new Error(`the proxy ${proxy.host} cannot be reached: ${error.message}`)));
    asking.end();
  });
}

/** The same as an option of node:https. */
export function tunnel(proxy: URL): NonNullable<RequestOptions['createConnection']> {
  return (options, done) => {
    openTunnel(proxy, options as ConnectionOptions).then(
      socket => done(null, socket),
      (error: Error) => (done as (error: Error) => void)(error),
    );
    return undefined;
  };
}
