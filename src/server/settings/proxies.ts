import { environmentProxies, type ProxySettings } from '#client/proxy.ts';
import type { Settings } from './settings.ts';

/** The proxies of `core.proxy_*`; when neither is set, those of the daemon's environment. */
export function serverProxies(settings: Settings, env: NodeJS.ProcessEnv = process.env): ProxySettings {
  const value = (key: string): string => settings.get(`core.proxy_${key}`) ?? '';
  const own = { http: value('http'), https: value('https'), ignoreHosts: value('ignore_hosts') };
  return own.http === '' && own.https === '' ? environmentProxies(env) : own;
}
