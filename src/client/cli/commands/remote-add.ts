import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { defaultProject } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { hostOf } from '#base/url-host.ts';
import { Client } from '../../client.ts';
import { configFolder, readConfig, remotesFile, writeConfig } from '../../config-file.ts';
import { environmentProxies, proxyFor, type ProxySettings } from '../../proxy.ts';
import { serverCertificateFile, tlsTarget } from '../../remotes.ts';
import { Transport } from '../../transport.ts';
import { decodeToken, type JoinToken } from '../join-token.ts';
import type { Session } from '../session.ts';

export interface AddOptions {
  readonly accept: boolean;
  readonly password: string | undefined;
  readonly public: boolean;
  readonly protocol: string;
}

export async function addRemote(
  session: Session,
  given: string | undefined,
  address: string,
  options: AddOptions,
): Promise<void> {
  const { checkedName } = await import('./remote.ts');
  const token = decodeToken(address);
  const name = checkedName(given ?? (token ? 'server' : new URL(urlOf(address)).hostname));
  const file = remotesFile(session.env);
  const config = await readConfig(file);
  if (config.remotes[name]) throw new ApiError('already-exists', `Remote "${name}" already exists`);
  if (options.protocol === 'simplestreams') return await addImageServer(session, name, address, options);
  if (!options.public) await ensureClientCertificate(session);

  const found = await reach(token ? token.addresses : [address], environmentProxies(session.env));
  const { fingerprintOf } = await import('../../certificate.ts');
  const fingerprint = fingerprintOf(found.certificate);
  if (token && token.fingerprint !== fingerprint) {
    throw new ApiError(
      'unauthenticated',
      `Cannot trust ${found.url}: its certificate is not the one that the token names`,
    );
  }
  if (!token && !options.accept) await confirm(session, fingerprint);
  if (!options.public) await join(session, found, token, options);

  const pinned = serverCertificateFile(session.env, name);
  mkdirSync(path.dirname(pinned), { recursive: true, mode: 0o700 });
  writeFileSync(pinned, found.certificate);
  const project = session.global.project ?? (options.public ? undefined : await chooseProject(session, found));
  const remote = { addr: found.url, public: options.public, ...(project !== undefined && { project }) };
  writeConfig(file, { ...config, remotes: { ...config.remotes, [name]: remote } });
}

/** A server with nothing but images: known by a certificate authority, or by a certificate that is confirmed here. */
async function addImageServer(session: Session, name: string, address: string, options: AddOptions): Promise<void> {
  const { listStreams, streamsBase } = await import('../../simplestreams/list-streams.ts');
  const base = streamsBase(address);
  const file = remotesFile(session.env);
  const config = await readConfig(file);
  const proxies = environmentProxies(session.env);
  const list = (certificate: string): Promise<unknown> =>
    listStreams(base, { certificate, proxies, signal: AbortSignal.timeout(60_000) });
  try {
    await list('');
  } catch (error) {
    if (base.protocol !== 'https:' || !/certificate/i.test((error as Error).message)) throw error;
    const certificate = await presentedCertificate(base.href, proxies);
    const { fingerprintOf } = await import('../../certificate.ts');
    if (!options.accept) await confirm(session, fingerprintOf(certificate));
    await list(certificate);
    const pinned = serverCertificateFile(session.env, name);
    mkdirSync(path.dirname(pinned), { recursive: true, mode: 0o700 });
    writeFileSync(pinned, certificate);
  }
  const remote = { addr: base.href.replace(/\/+$/, ''), public: true, protocol: 'simplestreams' } as const;
  writeConfig(file, { ...config, remotes: { ...config.remotes, [name]: remote } });
}

interface Found {
  readonly url: string;
  /** PEM that the server presents */
  readonly certificate: string;
}

/** The first of the addresses that answers. */
async function reach(addresses: readonly string[], proxies: ProxySettings): Promise<Found> {
  let last: unknown = new ApiError(
    'invalid-argument',
    'The token names no address: set core.https_address on the server first',
  );
  for (const address of addresses) {
    try {
      const url = urlOf(address);
      return { url, certificate: await presentedCertificate(url, proxies) };
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function urlOf(address: string): string {
  const bare = address.replace(/^https:\/\//, '');
  const isBareIpv6 = /^[0-9a-f:]+$/i.test(bare) && bare.split(':').length > 2;
  const text = `https://${isBareIpv6 ? `[${bare}]` : bare}`;
  if (!URL.canParse(text)) throw new ApiError('invalid-argument', `Invalid address "${address}"`);
  const url = new URL(text);
  return `https://${url.hostname}:${url.port || (bare.endsWith(':443') ? '443' : '8443')}`;
}

async function presentedCertificate(url: string, proxies: ProxySettings): Promise<string> {
  const socket = await openTls(new URL(url), proxies);
  return await new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new ApiError('unavailable', `Cannot reach ${url}: ${reason}`));
    };
    socket.setTimeout(10_000, () => fail('no answer within 10 seconds'));
    socket.on('error', error => fail(error.message));
    socket.on('secureConnect', () => {
      const pem = socket.getPeerX509Certificate()?.toString();
      socket.destroy();
      if (pem) resolve(pem);
      else fail('it presents no certificate');
    });
  });
}

/** A connection to a server that nothing is known of yet. */
async function openTls(url: URL, proxies: ProxySettings): Promise<TLSSocket> {
  const { connect } = await import('node:tls');
  const host = hostOf(url);
  const options = { host, port: Number(url.port || 443), rejectUnauthorized: false, minVersion: 'TLSv1.3' } as const;
  const proxy = proxyFor(url, proxies);
  if (!proxy) return connect(options);
  const { openTunnel } = await import('../../tunnel.ts');
  return await openTunnel(proxy, options).catch((error: unknown) => {
    throw new ApiError('unavailable', `Cannot reach ${url.href}: ${(error as Error).message}`);
  });
}

async function confirm(session: Session, fingerprint: string): Promise<void> {
  session.streams.stderr.write(`Certificate fingerprint: ${fingerprint}\n`);
  const answer = await session.ask('ok (y/n/[fingerprint])? ');
  if (!/^y(es)?$/i.test(answer) && answer.toLowerCase() !== fingerprint) {
    throw new ApiError('canceled', 'Server certificate NACKed by user');
  }
}

/** Makes the server trust our certificate, unless it does already. */
async function join(session: Session, found: Found, token: JoinToken | undefined, options: AddOptions): Promise<void> {
  const target = { ...tlsTarget(session.env, '', found.url), serverCertificate: found.certificate };
  const client = new Client(new Transport(target));
  if ((await client.server.get()).value.auth === 'trusted') return;
  let password = token ? undefined : options.password;
  if (!token && password === undefined) {
    const { askSecret } = await import('../output/questions.ts');
    password = await askSecret(session.streams, `Admin password (or token) for ${found.url}: `);
  }
  // The stock servers take a whole token in the place of the password.
  const secret = token ? Buffer.from(JSON.stringify(token)).toString('base64') : (password ?? '');
  await client.certificates.create({ type: 'client', name: `${userInfo().username}@${hostname()}`, password: secret });
  if ((await client.server.get()).value.auth !== 'trusted') {
    throw new ApiError('unauthenticated', `${found.url} does not trust this client after all`);
  }
}

/** A restricted certificate may not use the default project: one of its own takes that place. */
async function chooseProject(session: Session, found: Found): Promise<string | undefined> {
  const target = { ...tlsTarget(session.env, '', found.url), serverCertificate: found.certificate };
  const names = await new Client(new Transport(target)).projects.names();
  if (names.includes(defaultProject)) return undefined;
  if (names.length < 2) return names[0];
  session.note('Available projects:');
  for (const name of names) session.note(` - ${name}`);
  return await session.ask(`Name of the project to use for this remote [default=${names[0] ?? ''}]: `, names[0]);
}

/** Our own certificate, made when it is needed first. */
async function ensureClientCertificate(session: Session): Promise<void> {
  const folder = configFolder(session.env);
  const [certificateFile, keyFile] = [path.join(folder, 'client.crt'), path.join(folder, 'client.key')];
  if (existsSync(certificateFile) && existsSync(keyFile)) return;
  const { makeCertificate } = await import('../../certificate.ts');
  session.note('Generating a client certificate');
  const { certificate, key } = await makeCertificate({
    commonName: `${userInfo().username}@${hostname()}`,
    usage: 'client',
  });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(keyFile, key, { mode: 0o600 });
  writeFileSync(certificateFile, certificate);
}
