import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { makeCertificate } from '#client/certificate.ts';
import { makeBusyboxImage } from './busybox-image.ts';

export interface SplitImage {
  readonly metadata: Buffer;
  readonly rootfs: Buffer;
  /** combined hash */
  readonly fingerprint: string;
}

/** The busybox image as metadata and squashfs; another `version` gives another fingerprint. */
export function makeSplitImage(version: string): SplitImage {
  const folder = mkdtempSync('/tmp/lxd-like-split-');
  const image = makeBusyboxImage();
  try {
    const tree = path.join(folder, 'tree');
    mkdirSync(tree);
    execFileSync('tar', ['-C', tree, '-xzf', image.file]);
    writeFileSync(path.join(tree, 'rootfs/etc/version'), `${version}\n`);
    execFileSync('tar', ['-C', tree, '-cJf', path.join(folder, 'lxd.tar.xz'), 'metadata.yaml', 'templates']);
    const squashfs = path.join(folder, 'rootfs.squashfs');
    execFileSync('mksquashfs', [path.join(tree, 'rootfs'), squashfs, '-quiet', '-no-progress']);
    const metadata = readFileSync(path.join(folder, 'lxd.tar.xz'));
    const rootfs = readFileSync(squashfs);
    return { metadata, rootfs, fingerprint: sha256(metadata, rootfs) };
  } finally {
    image.remove();
    rmSync(folder, { recursive: true });
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** PEM; empty for plain HTTP */
  readonly certificate: string;
  /** paths that were asked for */
  readonly requests: string[];
  close(): Promise<void>;
}

/** A web server on this machine, over TLS with a certificate of its own or without. */
export async function serve(handler: Handler, { tls = false, port = 0 } = {}): Promise<TestServer> {
  const requests: string[] = [];
  const handle: Handler = (request, response) => {
    requests.push(request.url ?? '');
    handler(request, response);
  };
  const pair = tls ? await makeCertificate({ commonName: 'streams', usage: 'server' }) : undefined;
  const server = pair ? createHttps({ cert: pair.certificate, key: pair.key }, handle) : createHttp(handle);
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  };
  return {
    url: `http${tls ? 's' : ''}://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    certificate: pair?.certificate ?? '',
    requests,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Versions of one product, the newest last, as a simplestreams tree: path → content. */
export function streamsTree(versions: readonly (readonly [serial: string, image: SplitImage])[]): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const listed = versions.map(([serial, { metadata, rootfs, fingerprint }]) => {
    const item = (name: string, content: Buffer, more: object): object => {
      files.set(`/images/${serial}/${name}`, content);
      const file = { path: `images/${serial}/${name}`, sha256: sha256(content), size: content.length };
      return { ...file, ...more };
    };
    const items = {
      'lxd.tar.xz': item('lxd.tar.xz', metadata, { ftype: 'lxd.tar.xz', combined_squashfs_sha256: fingerprint }),
      'rootfs.squashfs': item('rootfs.squashfs', rootfs, { ftype: 'squashfs' }),
    };
    return [serial, { items }];
  });
  const product = {
    aliases: 'busy/1,busy',
    arch: 'amd64',
    os: 'Busybox',
    release: '1',
    release_title: '1.0 LTS',
    requirements: { secureboot: 'false' },
    versions: Object.fromEntries(listed) as object,
  };
  const index = {
    format: 'index:1.0',
    index: { images: { datatype: 'image-downloads', path: 'streams/v1/images.json', products: ['busy'] } },
  };
  files.set('/streams/v1/index.json', Buffer.from(JSON.stringify(index)));
  files.set('/streams/v1/images.json', Buffer.from(JSON.stringify({ products: { busy: product } })));
  return files;
}

export function serveFiles(files: ReadonlyMap<string, Buffer>): Handler {
  return (request, response) => {
    const content = files.get(request.url ?? '');
    response.writeHead(content ? 200 : 404, { 'content-length': content?.length ?? 0 });
    response.end(request.method === 'HEAD' ? undefined : content);
  };
}

export function sha256(...parts: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
