import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { configFolder, readConfig, remotesFile } from './config-file.ts';
import type { TlsTarget } from './http.ts';
import { environmentProxies, proxyFor } from './proxy.ts';
import { Transport } from './transport.ts';

/** Where the daemon's API socket is: $LXD_SOCKET, else in $LXD_LIKE_DIR, $LXD_DIR or the usual state directory. */
export function socketPath(env: NodeJS.ProcessEnv): string {
  const folder = env['LXD_LIKE_DIR'];
  if (!folder && env['LXD_SOCKET']) return env['LXD_SOCKET'];
  return path.join(folder || env['LXD_DIR'] || '/var/lib/lxd-like', 'unix.socket');
}

/** A connection to a remote by name; the default remote when undefined. */
export async function connect(env: NodeJS.ProcessEnv, remote?: string, project?: string): Promise<Transport> {
  const chosen = project ?? env['LXD_LIKE_PROJECT'] ?? env['LXD_PROJECT'];
  const config = await readConfig(remotesFile(env));
  const name = remote ?? config['default-remote'];
  const found = config.remotes[name];
  if (!found) {
    throw new ApiError(
      'not-found',
      `Remote "${name}" not found. Add it with "lxd-like remote add ${name} ADDRESS", or see "lxd-like remote list"`,
    );
  }
  if (found.protocol === 'simplestreams')
    throw new ApiError('invalid-argument', `Remote "${name}" only has images; name another one for instances`);
  const inProject = chosen ?? found.project;
  if (found.addr.startsWith('unix:')) {
    const given = found.addr.replace(/^unix:(\/\/)?/, '');
    return new Transport({ kind: 'unix', path: given || socketPath(env) }, inProject);
  }
  return new Transport(tlsTarget(env, name, found.addr), inProject);
}

/** The target of a remote with the certificate that was confirmed for it and our own, where there are any. */
export function tlsTarget(env: NodeJS.ProcessEnv, name: string, url: string): TlsTarget {
  const folder = configFolder(env);
  return {
    kind: 'tls',
    url,
    serverCertificate: pinnedCertificate(env, name),
    clientCertificate: readIfThere(path.join(folder, 'client.crt')),
    clientKey: readIfThere(path.join(folder, 'client.key')),
    proxy: proxyFor(new URL(url), environmentProxies(env)),
  };
}

/** PEM that was confirmed for a remote; undefined when there is none. */
export function pinnedCertificate(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return readIfThere(serverCertificateFile(env, name));
}

export function serverCertificateFile(env: NodeJS.ProcessEnv, name: string): string {
  return path.join(configFolder(env), 'servercerts', `${name}.crt`);
}

function readIfThere(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
