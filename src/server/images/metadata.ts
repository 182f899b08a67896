import { parseDocument, stringify } from 'yaml';
import { ApiError } from '#api/error.ts';
import { architectureName } from '#base/architectures.ts';
import { hasControlCharacters } from '#base/names.ts';

export const templateTriggers = ['create', 'copy', 'rename', 'start'] as const;
export type TemplateTrigger = (typeof templateTriggers)[number];

export interface TemplateEntry {
  readonly when: readonly TemplateTrigger[];
  /** only when the file is not there yet */
  readonly createOnly: boolean;
  /** file name in the folder `templates` */
  readonly template: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** metadata.yaml of an image, checked. */
export interface ImageMetadata {
  /** as the kernel names it */
  readonly architecture: string;
  /** seconds since 1970 */
  readonly creationDate: number;
  /** seconds since 1970; 0 = never */
  readonly expiryDate: number;
  readonly properties: Readonly<Record<string, string>>;
  /** by path in the instance */
  readonly templates: ReadonlyMap<string, TemplateEntry>;
}

const maxText = 2 ** 20;
const maxEntries = 1000;
const maxAliasCount = 50;

/** Parses text of strangers: anything but the few known members in their types is refused or ignored. */
export function parseMetadata(text: string): ImageMetadata {
  const root = object(parseYaml(text), 'metadata.yaml');
  const named = string(root['architecture'] ?? '', 'architecture');
  const architecture = architectureName(named);
  if (!architecture) throw refused('architecture', `"${named.slice(0, 50)}" is not known`);
  return {
    architecture,
    creationDate: seconds(root['creation_date'] ?? 0, 'creation_date'),
    expiryDate: seconds(root['expiry_date'] ?? 0, 'expiry_date'),
    properties: properties(root['properties'] ?? {}, 'properties'),
    templates: templates(root['templates'] ?? {}),
  };
}

/** metadata.yaml with this content. */
export function renderMetadata(metadata: ImageMetadata): string {
  const templates = [...metadata.templates].map(([path, { when, createOnly, template, properties }]) => [
    `/${path}`,
    { when, create_only: createOnly, template, properties },
  ]);
  return stringify({
    architecture: metadata.architecture,
    creation_date: metadata.creationDate,
    ...(metadata.expiryDate > 0 && { expiry_date: metadata.expiryDate }),
    properties: metadata.properties,
    templates: Object.fromEntries(templates) as Readonly<Record<string, unknown>>,
  });
}

function parseYaml(text: string): unknown {
  if (Buffer.byteLength(text) > maxText) throw refused('metadata.yaml', 'is larger than 1 MiB');
  try {
    // the check for unique keys is quadratic in their number
    const document = parseDocument(text, { uniqueKeys: false, prettyErrors: false, logLevel: 'silent', merge: false });
    const error = document.errors[0];
    if (error) throw error;
    return document.toJS({ maxAliasCount }) as unknown;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new ApiError('invalid-argument', `Invalid "metadata.yaml": ${reason?.slice(0, 200) ?? ''}`, { cause: error });
  }
}

function templates(value: unknown): ReadonlyMap<string, TemplateEntry> {
  const entries = Object.entries(object(value, 'templates'));
  if (entries.length > maxEntries) throw refused('templates', `has more than ${String(maxEntries)} entries`);
  return new Map(entries.map(([path, entry]) => [templatePath(path), templateEntry(entry, `templates.${path}`)]));
}

function templatePath(path: string): string {
  const parts = path.split('/').filter(part => part !== '' && part !== '.');
  if (path.length > 4096 || hasControlCharacters(path) || parts.length === 0 || parts.includes('..'))
    throw refused('templates', `the path ${JSON.stringify(path.slice(0, 100))} is not one inside the instance`);
  return parts.join('/');
}

function templateEntry(value: unknown, field: string): TemplateEntry {
  const entry = object(value, field);
  const template = string(entry['template'] ?? '', `${field}.template`);
  if (!/^[^/]{1,255}$/.test(template) || template === '.' || template === '..' || hasControlCharacters(template))
    throw refused(`${field}.template`, 'must be a file name without a folder');
  const when = entry['when'] ?? [];
  if (!Array.isArray(when)) throw refused(`${field}.when`, 'must be a list');
  const createOnly = entry['create_only'] ?? false;
  if (typeof createOnly !== 'boolean') throw refused(`${field}.create_only`, 'must be true or false');
  return {
    when: templateTriggers.filter(trigger => when.includes(trigger)),
    createOnly,
    template,
    properties: properties(entry['properties'] ?? {}, `${field}.properties`),
  };
}

function properties(value: unknown, field: string): Readonly<Record<string, string>> {
  const entries = Object.entries(object(value, field));
  if (entries.length > maxEntries) throw refused(field, `has more than ${String(maxEntries)} entries`);
  const result = Object.create(null) as Record<string, string>;
  for (const [key, entry] of entries) {
    if (key.length > 255 || hasControlCharacters(key))
      throw refused(field, 'a key is too long or holds control characters');
    const text = entry === null ? '' : scalar(entry, `${field}.${key}`);
    if (text.length > 65_536) throw refused(`${field}.${key}`, 'is too long');
    result[key] = text;
  }
  return result;
}

function scalar(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw refused(field, 'must be a text');
}

function string(value: unknown, field: string): string {
  if (typeof value !== 'string') throw refused(field, 'must be a text');
  return value;
}

const lastSecond = 253_402_300_799; // the year 9999 ends

function seconds(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > lastSecond)
    throw refused(field, 'must be a number of seconds since 1970');
  return value;
}

function object(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw refused(field, 'must be a map');
  return value as Readonly<Record<string, unknown>>;
}

function refused(field: string, reason: string): ApiError {
  return new ApiError('invalid-argument', `Invalid image metadata: "${field.slice(0, 300)}": ${reason}`);
}
