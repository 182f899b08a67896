import { ApiError } from '#api/error.ts';
import { effectiveBoolean } from '#base/config-schema.ts';
import { findImage, imageProjectOf } from '#server/database/images.ts';
import { exportImage, type ExportedImage } from '../images/export-image.ts';
import { cloudInitId } from '../instances/cloud-init-id.ts';
import { instanceKeys } from '../instances/config-keys.ts';
import type { Services } from '../services.ts';
import type { Guest } from './guest.ts';

/** What a guest is answered: JSON without an envelope, a text, or a file. */
export type Answer =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly file: ExportedImage };

/** Answers a GET of the guest's API, but for events. Throws "not-found" and "permission-denied". */
export async function answerGuest(
  services: Pick<Services, 'database' | 'paths'>,
  guest: Guest,
  path: string,
): Promise<Answer> {
  const [, version, topic, name, verb, ...more] = path.split('/').map(part => decodeURIComponent(part));
  const json = (value: unknown): Answer => ({ kind: 'json', value });
  if (path === '/') return json(['/1.0']);
  if (version !== '1.0' || more.length > 0) throw notFound();
  if (topic === 'images' && name !== undefined && verb === 'export')
    return { kind: 'file', file: await exported(services, guest, name) };
  if (verb !== undefined) throw notFound();
  if (topic === 'config' && name !== undefined) return { kind: 'text', text: valueOf(guest, name) };
  if (name !== undefined) throw notFound();
  switch (topic) {
    case undefined:
      return json({ api_version: '1.0', location: 'none', instance_type: 'container' });
    case 'config':
      return json(visibleKeys(guest).map(key => `/1.0/config/${key}`));
    case 'meta-data':
      return { kind: 'text', text: metaData(guest) };
    case 'devices':
      return json(visibleDevices(guest));
    default:
      throw notFound();
  }
}

/** Whether a guest may see a key of its config. */
export function isVisible(key: string): boolean {
  return key.startsWith('user.') || key.startsWith('cloud-init.');
}

/** Devices with the addresses that their links have. */
export function visibleDevices({ devices, local }: Guest): Readonly<Record<string, Readonly<Record<string, string>>>> {
  return Object.fromEntries(
    Object.entries(devices).map(([name, options]) => {
      const address = local[`volatile.${name}.hwaddr`];
      const adds = options['type'] === 'nic' && !options['hwaddr'] && address !== undefined;
      return [name, adds ? { ...options, hwaddr: address } : options];
    }),
  );
}

function visibleKeys({ config }: Guest): readonly string[] {
  return Object.keys(config)
    .filter(key => isVisible(key) && config[key] !== '')
    .sort();
}

function valueOf({ config }: Guest, key: string): string {
  if (!isVisible(key)) throw new ApiError('permission-denied', 'not authorized');
  const value = Object.hasOwn(config, key) ? config[key] : undefined;
  if (!value) throw notFound();
  return value;
}

function metaData({ name, local, config }: Guest): string {
  const id = local[cloudInitId] ?? name;
  return `#cloud-config\ninstance-id: ${id}\nlocal-hostname: ${name}\n${config['user.meta-data'] ?? ''}`;
}

/** Images that anybody may have, or that were fetched for instances anyway. */
async function exported(
  services: Pick<Services, 'database' | 'paths'>,
  { project, config }: Guest,
  fingerprint: string,
): Promise<ExportedImage> {
  if (!effectiveBoolean(instanceKeys, config, 'security.devlxd.images'))
    throw new ApiError('permission-denied', 'not authorized');
  const image = await services.database.read(async reader =>
    findImage(reader, await imageProjectOf(reader, project), fingerprint),
  );
  if (!image || !(image.public || image.cached)) throw notFound();
  return await exportImage(services.paths, image);
}

function notFound(): ApiError {
  return new ApiError('not-found', 'not found');
}
