import { zeroTime } from '#api/common.ts';
import { invalid } from '#api/error.ts';
import type { ImageAlias } from '#api/image.ts';
import { checkedExpiry, checkedSettings } from './image-settings.ts';
import type { ImageSettings } from './import-image.ts';

type Body = Readonly<Record<string, unknown>>;

const maxText = 65_536;

/** What the body of POST /1.0/images says of the image, whatever its source; null counts as absent. */
export function settingsFromBody(body: Body): ImageSettings {
  const properties = Object.entries(objectOf(body['properties'] ?? {}, 'properties'));
  const expires = checkedExpiry(textOf(body['expires_at'] ?? '', 'expires_at'));
  return checkedSettings({
    filename: textOf(body['filename'] ?? '', 'filename'),
    public: flagOf(body, 'public'),
    autoUpdate: flagOf(body, 'auto_update'),
    expiresAt: expires === zeroTime ? undefined : expires,
    properties: Object.fromEntries(properties.map(([key, value]) => [key, textOf(value, `properties.${key}`)])),
    profiles: profilesOf(body),
    aliases: aliasesOf(body),
  });
}

export function profilesOf(body: Body): readonly string[] | undefined {
  return listOf(body, 'profiles')?.map(name => textOf(name, 'profiles'));
}

export function aliasesOf(body: Body): readonly ImageAlias[] {
  return (listOf(body, 'aliases') ?? []).map(entry => {
    const alias = objectOf(entry, 'aliases');
    return {
      name: textOf(alias['name'], 'aliases.name'),
      description: textOf(alias['description'] ?? '', 'aliases.description'),
    };
  });
}

/** Texts of the member "source"; undefined where they are absent. */
export function sourceMembers(body: Body): (name: string) => string | undefined {
  const source = objectOf(body['source'] ?? {}, 'source');
  return name => {
    const value = source[name] ?? undefined;
    return value === undefined ? undefined : textOf(value, `source.${name}`);
  };
}

export function flagOf(body: Body, name: string): boolean {
  const value = body[name] ?? false;
  if (typeof value !== 'boolean') throw invalid(name, 'must be true or false');
  return value;
}

export function textOf(value: unknown, field: string): string {
  if (typeof value !== 'string' || value.length > maxText) throw invalid(field.slice(0, 100), 'must be a text');
  return value;
}

export function objectOf(value: unknown, field: string): Body {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw invalid(field, 'must be an object');
  return value as Body;
}

function listOf(body: Body, name: string): readonly unknown[] | undefined {
  const value = body[name] ?? undefined;
  if (value !== undefined && (!Array.isArray(value) || value.length > 1000)) throw invalid(name, 'must be a list');
  return value as readonly unknown[] | undefined;
}
