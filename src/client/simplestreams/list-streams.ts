import { zeroTime } from '#api/common.ts';
import type { Image } from '#api/image.ts';
import { parseIndex, parseProducts, type StreamsImage } from './streams.ts';
import { fetchText, serverUrl, type WebOptions } from './web.ts';

const maxIndex = 2 ** 20;
const maxProducts = 64 * 2 ** 20;

/** The URL of a simplestreams server, with a slash at its end: what paths in its listings are relative to. */
export function streamsBase(server: string): URL {
  return new URL(`${serverUrl(server).href.replace(/\/+$/, '')}/`);
}

/** All images that a simplestreams server lists and that can be used here. */
export async function listStreams(base: URL, options: WebOptions): Promise<readonly StreamsImage[]> {
  const images: StreamsImage[] = [];
  for (const path of parseIndex(await fetchText(new URL('streams/v1/index.json', base), maxIndex, options)))
    images.push(...parseProducts(await fetchText(new URL(path, base), maxProducts, options)));
  return images;
}

/** As an LXD server would show it. */
export function streamsImageToApi(image: StreamsImage): Image {
  const day = /^(\d{4})(\d\d)(\d\d)/.exec(image.serial);
  const created = day ? `${day[1] ?? ''}-${day[2] ?? ''}-${day[3] ?? ''}T00:00:00Z` : zeroTime;
  const names = image.aliases.flatMap(alias => [alias, `${alias}/${image.architectureLabel}`]);
  return {
    fingerprint: image.fingerprint,
    filename: image.metadata.path.split('/').pop() ?? '',
    size: image.metadata.size + image.rootfs.size,
    public: true,
    auto_update: false,
    cached: false,
    architecture: image.architecture,
    type: 'container',
    created_at: created,
    uploaded_at: created,
    expires_at: image.expiresAt ?? zeroTime,
    last_used_at: zeroTime,
    properties: image.properties,
    profiles: [],
    aliases: [...new Set(names)].map(name => ({ name, description: '' })),
  };
}
