import { zeroTime } from '#api/common.ts';
import { ApiError, invalid } from '#api/error.ts';
import { hasControlCharacters } from '#base/names.ts';
import type { ImageSettings } from './import-image.ts';

const maxProperties = 1000;

export const imagePutSchema = {
  type: 'object',
  properties: {
    auto_update: { type: 'boolean' },
    public: { type: 'boolean' },
    expires_at: { type: 'string', maxLength: 64 },
    properties: { type: ['object', 'null'], additionalProperties: { type: 'string', maxLength: 65_536 } },
    profiles: { type: ['array', 'null'], maxItems: 1000, items: { type: 'string', maxLength: 63 } },
  },
};

export const aliasSchema = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', maxLength: 255 }, description: { type: 'string', maxLength: 8192 } },
};

type Headers = Readonly<Record<string, string | undefined>>;

/** Settings of an upload, from its X-LXD-* headers; properties and profiles are URL-encoded there. */
export function settingsFromHeaders(headers: Headers): ImageSettings {
  const properties = new URLSearchParams(headers['x-lxd-properties'] ?? '');
  const profiles = headers['x-lxd-profiles'];
  return checkedSettings({
    filename: headers['x-lxd-filename'] ?? '',
    public: ['1', 'true'].includes(headers['x-lxd-public'] ?? ''),
    autoUpdate: false,
    expiresAt: undefined,
    properties: Object.fromEntries(properties),
    profiles: profiles === undefined ? undefined : new URLSearchParams(profiles).getAll('profile'),
    aliases: [],
  });
}

/** Throws "invalid-argument" for values that must not be stored. */
export function checkedSettings(settings: ImageSettings): ImageSettings {
  const { filename } = settings;
  if (filename.length > 255 || hasControlCharacters(filename) || filename.includes('/'))
    throw invalid('filename', 'must be at most 255 characters without slashes and control characters');
  checkProperties(settings.properties);
  for (const alias of settings.aliases) checkAliasName(alias.name);
  return settings;
}

export function checkProperties(properties: Readonly<Record<string, string>>): void {
  const entries = Object.entries(properties);
  if (entries.length > maxProperties) throw invalid('properties', `must be at most ${String(maxProperties)}`);
  for (const [key, value] of entries)
    if (
      key === '' ||
      key.length > 255 ||
      value.length > 65_536 ||
      hasControlCharacters(key) ||
      hasControlCharacters(value)
    )
      throw invalid('properties', `"${key.slice(0, 50)}" is empty, too long or holds control characters`);
}

export function checkAliasName(name: string): void {
  const wrong = name === '' || name.length > 255 || hasControlCharacters(name) || /\s/.test(name);
  if (wrong || name.split('/').some(part => part === '' || part === '.' || part === '..'))
    throw invalid(
      'name',
      'an alias is up to 255 characters without white space, and no part of it is empty, "." or ".."',
    );
}

/** RFC 3339 time as stored, LXD's zero for "never". */
export function checkedExpiry(text: string | undefined): string {
  if (text === undefined || text === '' || text === zeroTime) return zeroTime;
  const time = /^\d{4}-\d\d-\d\dT/.test(text) ? new Date(text) : new Date(NaN);
  if (Number.isNaN(time.getTime())) throw invalid('expires_at', 'must be a time such as 2030-01-31T12:00:00Z');
  return time.toISOString();
}

/** Digest input of an image's ETag: its writable part. */
export function writablePart(image: {
  readonly public: boolean;
  readonly autoUpdate: boolean;
  readonly expiresAt: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly profiles: readonly string[];
}): unknown {
  return [image.public, image.autoUpdate, image.expiresAt, image.properties, image.profiles];
}

export function badBody(reason: string): ApiError {
  return new ApiError('invalid-argument', `Invalid body: ${reason}`);
}
