import { closeSync, constants, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { stringify } from 'yaml';
import { ApiError, invalid, notFound } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { ImageMetadata, ImageMetadataPut } from '#api/image-metadata.ts';
import { hasControlCharacters } from '#base/names.ts';
import { TemplateError } from '#base/template.ts';
import { kernel } from '#native/kernel.ts';
import { getInstance, type InstanceRecord } from '#server/database/instances.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { readBeneath, writeBeneath } from '../images/beneath.ts';
import { parseMetadata } from '../images/metadata.ts';
import { instancePath, type InstanceServices } from './instance-services.ts';
import { mountRoot, unmountRoot } from './root-volume.ts';
import { holdInstance } from './status.ts';

type Uses = Pick<InstanceServices, 'database' | 'pools' | 'paths' | 'locks' | 'events'>;

/** Whose metadata, and on whose behalf. */
export interface MetadataOf {
  readonly project: string;
  readonly name: string;
  readonly requestor: Requestor;
}

const file = 'metadata.yaml';
const maxBytes = 2 ** 20;
const empty: ImageMetadata = { architecture: '', creation_date: 0, expiry_date: 0, properties: {}, templates: {} };

/** What an instance's image says of itself, and of the files that are rendered into the instance. */
export async function getMetadata(services: Uses, of: MetadataOf): Promise<ImageMetadata> {
  const found = await inVolume(services, of, folder => readMetadata(folder));
  tell(services, of, 'instance-metadata-retrieved');
  return found;
}

/** Replaces it, or with `merge` the members that are given. `check` throws when the client saw another state. */
export async function changeMetadata(
  services: Uses,
  of: MetadataOf,
  { put, merge, check }: { put: ImageMetadataPut; merge: boolean; check: (writable: unknown) => void },
): Promise<void> {
  using _lock = await holdInstance(services.locks, of.project, of.name, 'update');
  await inVolume(services, of, folder => {
    const before = readMetadata(folder);
    check(before);
    const text = stringify({ ...(merge ? before : empty), ...put });
    parseMetadata(text); // as at the next start
    writeBeneath(folder, '.', file, Buffer.from(text), { replace: true });
  });
  tell(services, of, 'instance-metadata-updated');
}

/** Names of the template files. */
export async function listTemplates(services: Uses, of: MetadataOf): Promise<readonly string[]> {
  return await inVolume(services, of, folder => namesBeneath(folder));
}

export async function readTemplate(services: Uses, of: MetadataOf, name: string): Promise<Buffer> {
  checkName(name);
  const content = await inVolume(services, of, folder => readBeneath(folder, `templates/${name}`, maxBytes));
  if (!content) throw notFound('Template', name);
  tell(services, of, 'instance-metadata-template-retrieved', name);
  return content;
}

export async function writeTemplate(services: Uses, of: MetadataOf, name: string, content: Buffer): Promise<void> {
  checkName(name);
  using _lock = await holdInstance(services.locks, of.project, of.name, 'update');
  await inVolume(services, of, folder => writeBeneath(folder, '.', `templates/${name}`, content, { replace: true }));
  tell(services, of, 'instance-metadata-template-created', name);
}

export async function deleteTemplate(services: Uses, of: MetadataOf, name: string): Promise<void> {
  checkName(name);
  using _lock = await holdInstance(services.locks, of.project, of.name, 'update');
  await inVolume(services, of, folder => {
    withFolder(folder, 'templates', templates => {
      try {
        kernel.unlinkAt(templates, name, false);
      } catch (error) {
        throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? notFound('Template', name) : error;
      }
    });
  });
  tell(services, of, 'instance-metadata-template-deleted', name);
}

/** Runs with a descriptor of the instance's volume, in which nothing is trusted. */
async function inVolume<T>(services: Uses, { project, name }: MetadataOf, work: (folder: number) => T): Promise<T> {
  const record: InstanceRecord = await services.database.read(reader => getInstance(reader, project, name));
  const folder = await mountRoot(services, record);
  try {
    await using handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    return work(handle.fd);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const strange = error instanceof TemplateError || code === 'ELOOP' || code === 'EXDEV' || code === 'ENOTDIR';
    if (!strange) throw error;
    throw new ApiError('failed-precondition', `The metadata of instance "${name}" is not made of plain files`, {
      cause: error,
    });
  } finally {
    await unmountRoot(services, record);
  }
}

function readMetadata(folder: number): ImageMetadata {
  const content = readBeneath(folder, file, maxBytes);
  if (!content) return empty;
  const { architecture, creationDate, expiryDate, properties, templates } = parseMetadata(content.toString('utf8'));
  return {
    architecture,
    creation_date: creationDate,
    expiry_date: expiryDate,
    properties,
    templates: Object.fromEntries(
      [...templates].map(([path, entry]) => [
        `/${path}`,
        {
          when: entry.when,
          create_only: entry.createOnly,
          template: entry.template,
          properties: entry.properties,
        },
      ]),
    ),
  };
}

function namesBeneath(folder: number): readonly string[] {
  try {
    return withFolder(folder, 'templates', templates => readdirSync(`/proc/self/fd/${String(templates)}`).sort());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function withFolder<T>(folder: number, name: string, work: (descriptor: number) => T): T {
  const descriptor = kernel.openBeneath(folder, name, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function checkName(name: string): void {
  if (name === '') throw invalid('path', 'must be given');
  if (name.includes('/') || name === '.' || name === '..' || name.length > 255 || hasControlCharacters(name))
    throw invalid('path', 'must be the name of a template, without a folder');
}

function tell(services: Uses, { project, name, requestor }: MetadataOf, action: string, template?: string): void {
  const path = `${instancePath(name)}/metadata${template === undefined ? '' : '/templates'}`;
  const context = template === undefined ? {} : { context: { path: template } };
  emitLifecycle(services.events, action, path, { project, requestor, ...context });
}
