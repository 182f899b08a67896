import { ApiError } from '#api/error.ts';
import { architectureName } from '#base/architectures.ts';
import { hasControlCharacters } from '#base/names.ts';

/** A file of a simplestreams tree. */
export interface StreamsFile {
  /** relative to the server's URL; checked to stay below it */
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
}

/** An image of a simplestreams tree that can be used here. */
export interface StreamsImage {
  /** combined hash of both files */
  readonly fingerprint: string;
  readonly aliases: readonly string[];
  /** as the kernel names it, and as the distribution does */
  readonly architecture: string;
  readonly architectureLabel: string;
  /** names the version, such as 20260131_07:42 */
  readonly serial: string;
  readonly properties: Readonly<Record<string, string>>;
  /** RFC 3339; undefined = never */
  readonly expiresAt: string | undefined;
  readonly metadata: StreamsFile;
  readonly rootfs: StreamsFile;
}

type Json = Readonly<Record<string, unknown>>;

const maxProducts = 20_000;
const maxVersions = 1000;
const metadataTypes = ['incus.tar.xz', 'lxd.tar.xz'];
// what the root file system may be, the better first, with the names of the hash over both files
const rootTypes: readonly (readonly [type: string, hashes: readonly string[]])[] = [
  ['squashfs', ['combined_squashfs_sha256']],
  ['root.tar.xz', ['combined_rootxz_sha256', 'combined_sha256']],
];

/** Paths of the product files that list images, from streams/v1/index.json. */
export function parseIndex(text: string): readonly string[] {
  const entries = Object.values(object(object(parseJson(text))['index']));
  if (entries.length > maxProducts) throw malformed('its index is too long');
  return entries
    .map(object)
    .filter(entry => entry['datatype'] === 'image-downloads' && typeof entry['path'] === 'string')
    .map(entry => relativePath(entry['path']));
}

/** Container images of a product file; what is incomplete or of other kinds is left out. */
export function parseProducts(text: string): readonly StreamsImage[] {
  const products = Object.values(object(object(parseJson(text))['products']));
  if (products.length > maxProducts) throw malformed('it has too many products');
  return products.flatMap(value => imagesOfProduct(object(value)));
}

/**
 * The newest image with an alias, for the architecture unless the alias ends in another one, or the image whose
 * fingerprint begins so.
 */
export function findStreamsImage(
  images: readonly StreamsImage[],
  name: string,
  architecture: string,
): StreamsImage | undefined {
  const newestFirst = [...images].sort((a, b) => (a.serial < b.serial ? 1 : -1));
  const named = newestFirst.find(image =>
    image.aliases.some(
      alias =>
        (alias === name && image.architecture === architecture) ||
        name === `${alias}/${image.architectureLabel}` ||
        name === `${alias}/${image.architecture}`,
    ),
  );
  if (named || !/^[0-9a-f]{12,64}$/.test(name)) return named;
  return newestFirst.find(image => image.fingerprint.startsWith(name));
}

function imagesOfProduct(product: Json): readonly StreamsImage[] {
  const architecture = architectureName(text(product['arch']));
  if (architecture === undefined) return [];
  const versions = Object.entries(object(product['versions'])).slice(0, maxVersions);
  return versions.flatMap(([serial, value]) => {
    const image = imageOfVersion(product, serial, object(value), architecture);
    return image ? [image] : [];
  });
}

function imageOfVersion(product: Json, serial: string, version: Json, architecture: string): StreamsImage | undefined {
  const items = Object.values(object(version['items'])).slice(0, maxVersions).map(object);
  const ofType = (type: string): Json | undefined => items.find(item => item['ftype'] === type);
  const described = metadataTypes.map(ofType).find(item => item !== undefined);
  if (!described || hasControlCharacters(serial) || serial.length > 100) return undefined;
  for (const [type, hashes] of rootTypes) {
    const root = ofType(type);
    const fingerprint = hashes.map(name => text(described[name])).find(isHash);
    if (!root || fingerprint === undefined) continue;
    return {
      fingerprint,
      aliases: text(product['aliases'])
        .split(',')
        .map(alias => alias.trim())
        .filter(isAlias),
      architecture,
      architectureLabel: text(product['arch']),
      serial,
      properties: propertiesOf(product, version, { serial, type }),
      expiresAt: dayOf(text(product['support_eol'])),
      metadata: fileOf(described),
      rootfs: fileOf(root),
    };
  }
  return undefined;
}

function propertiesOf(
  product: Json,
  version: Json,
  { serial, type }: { readonly serial: string; readonly type: string },
): Readonly<Record<string, string>> {
  const member = (name: string): string => {
    const value = text(product[name]);
    return hasControlCharacters(value) ? '' : value;
  };
  const label = text(version['label']);
  const release = member('release_title') || member('release');
  const variant = member('variant');
  const description = [
    [member('os'), release, member('arch')].filter(word => word !== '').join(' '),
    ...(variant !== '' && variant !== 'default' ? [`(${variant})`] : []),
    ...(label !== '' && !hasControlCharacters(label) ? [`(${label})`] : []),
    `(${serial})`,
  ].join(' ');
  const requirements = Object.entries(object(product['requirements'] ?? product['lxd_requirements'] ?? {}))
    .map(([key, value]) => [`requirements.${key}`, text(value)] as const)
    .filter(([key, value]) => value !== '' && !hasControlCharacters(key + value));
  const found = {
    architecture: member('arch'),
    description,
    label: hasControlCharacters(label) ? '' : label,
    os: member('os'),
    release: member('release'),
    serial,
    type,
    variant,
    version: member('version'),
    ...Object.fromEntries(requirements.slice(0, 50)),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== ''));
}

function fileOf(item: Json): StreamsFile {
  const sha256 = text(item['sha256']);
  const size = item['size'];
  if (!isHash(sha256)) throw malformed('a file has no SHA-256');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size <= 0) throw malformed('a file has no size');
  return { path: relativePath(item['path']), sha256, size };
}

/** A path below the server's URL and nothing else. */
function relativePath(value: unknown): string {
  const path = text(value);
  const parts = path.split('/');
  const wrong =
    path === '' ||
    path.length > 2048 ||
    hasControlCharacters(path) ||
    /[\\?#%]/.test(path) ||
    /^[a-z][a-z0-9+.-]*:/i.test(path) ||
    parts.some(part => part === '' || part === '.' || part === '..');
  if (wrong) throw malformed(`${JSON.stringify(path.slice(0, 100))} is not a path below it`);
  return path;
}

function dayOf(day: string): string | undefined {
  return /^\d{4}-\d\d-\d\d$/.test(day) && !Number.isNaN(Date.parse(day)) ? `${day}T00:00:00Z` : undefined;
}

function isHash(value: string | undefined): value is string {
  return value !== undefined && /^[0-9a-f]{64}$/.test(value);
}

function isAlias(alias: string): boolean {
  return alias !== '' && alias.length <= 255 && !/\s/.test(alias) && !hasControlCharacters(alias);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 8192) : '';
}

function object(value: unknown): Json {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw malformed('a map is missing');
  return value as Json;
}

function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    throw malformed('it is no JSON');
  }
}

function malformed(reason: string): ApiError {
  return new ApiError('invalid-argument', `Malformed answer of the simplestreams server: ${reason}`);
}
