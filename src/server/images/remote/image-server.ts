import type { ProxySettings } from '#client/proxy.ts';
import type { ImageProtocol } from '../../database/images.ts';
import type { ServerIdentity } from '../../services.ts';
import type { StatePaths } from '../../paths.ts';
import type { ReceivedImage } from '../receive-image.ts';
import { directUrl } from './direct-url.ts';
import { lxdServer } from './lxd-server.ts';
import { simplestreamsServer } from './simplestreams-server.ts';

/** An image as its server describes it; every member is checked. */
export interface RemoteImage {
  readonly fingerprint: string;
  readonly filename: string;
  /** undefined = what the image says of itself */
  readonly properties: Readonly<Record<string, string>> | undefined;
  /** RFC 3339; undefined = what the image says of itself */
  readonly expiresAt: string | undefined;
}

/** Where images come from; nothing that it answers is trusted. */
export interface ImageServer {
  /** By alias or by the beginning of a fingerprint. Throws "not-found", "unavailable". */
  find(name: string, signal: AbortSignal): Promise<RemoteImage>;
  /** Fetches the files; the fingerprint is theirs, whatever the server says. Nothing is left when it fails. */
  download(image: RemoteImage, paths: StatePaths, options: DownloadOptions): Promise<ReceivedImage>;
}

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** such as "rootfs: 45% (3.20MiB/s)" */
  readonly onProgress: (text: string) => void;
}

/** How a server is reached. */
export interface ServerAddress {
  /** URL; of the image itself for "direct" */
  readonly server: string;
  readonly protocol: ImageProtocol;
  /** PEM that the server must present; empty = the system's authorities decide */
  readonly certificate: string;
  /** lets a stranger read one private image */
  readonly secret: string;
  /** project on the server; empty = its default */
  readonly project: string;
}

export interface ImageServerContext {
  /** shown to the server, which may trust it; undefined = this server comes as a stranger */
  readonly identity: ServerIdentity | undefined;
  /** as the kernel names it: what an alias means where it stands for several */
  readonly architecture: string;
  readonly proxies: ProxySettings;
}

/** Reads nothing yet: the server is first asked by `find`. */
export function imageServer(address: ServerAddress, context: ImageServerContext): ImageServer {
  switch (address.protocol) {
    case 'lxd':
      return lxdServer(address, context);
    case 'simplestreams':
      return simplestreamsServer(address, context);
    case 'direct':
      return directUrl(address, context);
  }
}
