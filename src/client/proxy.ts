import { BlockList, isIP } from 'node:net';
import { ApiError } from '#api/error.ts';
import { hostOf } from '#base/url-host.ts';

/** Proxies of the network that requests leave it through; empty = none. */
export interface ProxySettings {
  /** URL of the proxy for http:// */
  readonly http: string;
  /** URL of the proxy for https:// */
  readonly https: string;
  /** hosts that are reached without: names with their subdomains, addresses, subnets, "*"; each may have a port */
  readonly ignoreHosts: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The proxies that the variables http_proxy, https_proxy and no_proxy name, in lower or upper case. */
export function environmentProxies(env: Environment = process.env): ProxySettings {
  const value = (name: string): string => env[name] || env[name.toUpperCase()] || '';
  return { http: value('http_proxy'), https: value('https_proxy'), ignoreHosts: value('no_proxy') };
}

/** The proxy for a URL; undefined when it is reached directly, as this machine itself always is. */
export function proxyFor(url: URL, settings: ProxySettings): URL | undefined {
  const proxy = url.protocol === 'https:' ? settings.https : settings.http;
  if (proxy === '' || isIgnored(url, settings.ignoreHosts)) return undefined;
  const way = parseProxy(proxy);
  if (way) return way;
  throw new ApiError('invalid-argument', `"${proxy}" is no URL of a proxy, such as http://proxy.example:3128`);
}

export function isProxyUrl(text: string): boolean {
  return parseProxy(text) !== undefined;
}

/** The scheme is http:// unless the text says so. */
function parseProxy(text: string): URL | undefined {
  const whole = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  return url && ['http:', 'https:'].includes(url.protocol) && url.hostname !== '' ? url : undefined;
}

function isIgnored(url: URL, ignoreHosts: string): boolean {
  const host = hostOf(url).toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))) return true;
  const entries = ignoreHosts.split(/[\s,]+/).filter(entry => entry !== '');
  return entries.some(entry => entry === '*' || matches(entry.toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry.includes('/')) return isWithin(entry, host);
  const [, name = '', only] = /^\[?([^\]]+?)\]?(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
  if (only !== undefined && only !== port) return false;
  const domain = name.replace(/^\*?\./, '');
  return host.endsWith(`.${domain}`) || (host === domain && domain === name);
}

function isWithin(subnet: string, host: string): boolean {
  const [base = '', length = ''] = subnet.split('/');
  const family = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4');
  const bits = Number(length);
  const good = isIP(base) > 0 && isIP(host) > 0 && /^\d+$/.test(length) && bits <= (isIP(base) === 6 ? 128 : 32);
  if (!good) return false;
  const list = new BlockList();
  list.addSubnet(base, bits, family(base));
  return list.check(host, family(host));
}
