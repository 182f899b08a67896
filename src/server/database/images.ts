import type { Image, ImageAlias } from '#api/image.ts';
import { ApiError } from '#api/error.ts';
import { imageProperties, loadConfigs, saveConfig } from './config-rows.ts';
import { ConflictError, type Reader, type SqlValue, type Transaction } from './database.ts';
import { ownerProject } from './project-features.ts';

export interface ImageRecord {
  readonly id: number;
  readonly project: string;
  /** SHA-256 of the file, or of the metadata and root file system files one after the other; lower-case hex */
  readonly fingerprint: string;
  /** name that the uploader gave; never a path of ours */
  readonly filename: string;
  /** bytes of all files */
  readonly size: number;
  readonly public: boolean;
  /** as the kernel names it, such as x86_64 */
  readonly architecture: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly uploadedAt: string;
  readonly lastUsedAt: string;
  readonly cached: boolean;
  readonly autoUpdate: boolean;
  /** where it was fetched from by an alias, to look there for newer ones */
  readonly source: ImageSource | undefined;
  /** the root file system is in a file of its own: FINGERPRINT.rootfs */
  readonly split: boolean;
  /** false until its files are in place */
  readonly ready: boolean;
  readonly properties: Readonly<Record<string, string>>;
  /** names of profiles for instances that name none */
  readonly profiles: readonly string[];
  readonly aliases: readonly ImageAlias[];
}

export type NewImage = Omit<ImageRecord, 'id' | 'aliases'>;

/** An alias on another server. */
export interface ImageSource {
  /** URL */
  readonly server: string;
  readonly protocol: ImageProtocol;
  /** PEM that the server must present; empty = the system's authorities decide */
  readonly certificate: string;
  readonly alias: string;
}

export const imageProtocols = ['lxd', 'simplestreams', 'direct'] as const;
export type ImageProtocol = (typeof imageProtocols)[number];

interface Row {
  readonly id: number;
  readonly project: string;
  readonly fingerprint: string;
  readonly filename: string;
  readonly size: number;
  readonly public: number;
  readonly architecture: string;
  readonly creation_date: string;
  readonly expiry_date: string;
  readonly upload_date: string;
  readonly last_use_date: string;
  readonly cached: number;
  readonly auto_update: number;
  readonly split: number;
  readonly ready: number;
}

const select = `SELECT images.*, projects.name AS project FROM images JOIN projects ON projects.id = images.project_id`;

/** Images whose files are in place, of one project or of all, by fingerprint. */
export async function listImages(reader: Reader, project?: string): Promise<readonly ImageRecord[]> {
  return project === undefined
    ? await load(reader, 'images.ready = 1', [])
    : await load(reader, 'images.ready = 1 AND projects.name = ?', [project]);
}

/** Images of a project whose fingerprint begins so, at most three. `prefix` is hexadecimal. */
export async function imagesByPrefix(reader: Reader, project: string, prefix: string): Promise<readonly ImageRecord[]> {
  const where = 'images.ready = 1 AND projects.name = ? AND substr(images.fingerprint, 1, ?) = ?';
  return await load(reader, where, [project, prefix.length, prefix], 3);
}

export async function findImage(
  reader: Reader,
  project: string,
  fingerprint: string,
): Promise<ImageRecord | undefined> {
  return (await load(reader, 'images.ready = 1 AND projects.name = ? AND fingerprint = ?', [project, fingerprint]))[0];
}

/** Images of a project that were fetched from this alias, the newest first. */
export async function imagesFromSource(
  reader: Reader,
  project: string,
  { server, protocol, alias }: Omit<ImageSource, 'certificate'>,
): Promise<readonly ImageRecord[]> {
  const where = `images.ready = 1 AND projects.name = ? AND images.id IN
    (SELECT image_id FROM images_source WHERE server = ? AND protocol = ? AND alias = ?)`;
  const found = await load(reader, where, [project, server, protocol, alias]);
  return [...found].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
}

/** An image of any project with this fingerprint: its files can be shared. */
export async function findImageAnywhere(reader: Reader, fingerprint: string): Promise<ImageRecord | undefined> {
  return (await load(reader, 'images.ready = 1 AND fingerprint = ?', [fingerprint]))[0];
}

/** Images whose files never came in place, of all projects. */
export async function listUnfinishedImages(reader: Reader): Promise<readonly ImageRecord[]> {
  return await load(reader, 'images.ready = 0', []);
}

/** Number of rows, ready or not and in any project, that share the files of a fingerprint. */
export async function imageUses(reader: Reader, fingerprint: string): Promise<number> {
  const row = await reader.get<{ count: number }>('SELECT count(*) AS count FROM images WHERE fingerprint = ?', [
    fingerprint,
  ]);
  return row?.count ?? 0;
}

/** Throws "already-exists" when the project has the image. */
export async function insertImage(tx: Transaction, image: NewImage): Promise<number> {
  const columns = `project_id, fingerprint, filename, size, public, architecture, creation_date, expiry_date,
    upload_date, last_use_date, cached, auto_update, split, ready`;
  try {
    const { lastId } = await tx.run(
      `INSERT INTO images (${columns})
       VALUES ((SELECT id FROM projects WHERE name = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        image.project,
        image.fingerprint,
        image.filename,
        image.size,
        Number(image.public),
        image.architecture,
        image.createdAt,
        image.expiresAt,
        image.uploadedAt,
        image.lastUsedAt,
        Number(image.cached),
        Number(image.autoUpdate),
        Number(image.split),
        Number(image.ready),
      ],
    );
    await saveConfig(tx, imageProperties, lastId, image.properties);
    await saveImageProfiles(tx, lastId, image.project, image.profiles);
    if (image.source) await saveImageSource(tx, lastId, image.source);
    return lastId;
  } catch (error) {
    if (error instanceof ConflictError && error.kind === 'unique') throw sameFingerprint();
    throw error;
  }
}

export async function markImageReady(tx: Transaction, id: number): Promise<void> {
  await tx.run('UPDATE images SET ready = 1 WHERE id = ?', [id]);
}

export type ImageChange = Pick<ImageRecord, 'public' | 'autoUpdate' | 'expiresAt' | 'properties' | 'profiles'>;

export async function saveImage(tx: Transaction, image: ImageRecord, change: ImageChange): Promise<void> {
  await tx.run('UPDATE images SET public = ?, auto_update = ?, expiry_date = ? WHERE id = ?', [
    Number(change.public),
    Number(change.autoUpdate),
    change.expiresAt,
    image.id,
  ]);
  await saveConfig(tx, imageProperties, image.id, change.properties);
  await saveImageProfiles(tx, image.id, image.project, change.profiles);
}

/** From now on it is an image that somebody asked for, not a copy that creating an instance left. */
export async function keepCachedImage(tx: Transaction, id: number): Promise<void> {
  await tx.run('UPDATE images SET cached = 0 WHERE id = ?', [id]);
}

/** Aliases and the time of the last use move on to the image that takes the place of another. */
export async function moveImageUse(tx: Transaction, from: ImageRecord, to: number): Promise<void> {
  await tx.run('UPDATE images_aliases SET image_id = ? WHERE image_id = ?', [to, from.id]);
  await tx.run('UPDATE images SET last_use_date = ? WHERE id = ?', [from.lastUsedAt, to]);
}

/** Remembers that the image was used, as RFC 3339 text. */
export async function touchImage(tx: Transaction, id: number, time: string): Promise<void> {
  await tx.run('UPDATE images SET last_use_date = ? WHERE id = ?', [time, id]);
}

/** Its aliases go with it. Succeeds when it is gone. */
export async function deleteImageRow(tx: Transaction, id: number): Promise<void> {
  await tx.run('DELETE FROM images WHERE id = ?', [id]);
}

/** Project whose images a project uses: its own, or those of "default" when features.images is off. */
export async function imageProjectOf(reader: Reader, project: string): Promise<string> {
  return await ownerProject(reader, project, 'images');
}

/** Config of a project itself; undefined = not set there. */
export async function projectSetting(reader: Reader, project: string, key: string): Promise<string | undefined> {
  const row = await reader.get<{ value: string }>(
    `SELECT value FROM projects_config JOIN projects ON projects.id = projects_config.project_id
     WHERE projects.name = ? AND key = ?`,
    [project, key],
  );
  return row?.value;
}

export function imageToApi(image: ImageRecord): Image {
  return {
    fingerprint: image.fingerprint,
    filename: image.filename,
    size: image.size,
    public: image.public,
    auto_update: image.autoUpdate,
    cached: image.cached,
    architecture: image.architecture,
    type: 'container',
    created_at: image.createdAt,
    expires_at: image.expiresAt,
    last_used_at: image.lastUsedAt,
    uploaded_at: image.uploadedAt,
    properties: image.properties,
    profiles: image.profiles,
    aliases: image.aliases,
    ...(image.source && { update_source: { ...image.source, image_type: 'container' } }),
  };
}

/** In LXD's words, which scripts look for. */
export function sameFingerprint(): ApiError {
  return new ApiError('already-exists', 'Image with same fingerprint already exists');
}

async function saveImageProfiles(
  tx: Transaction,
  id: number,
  project: string,
  names: readonly string[],
): Promise<void> {
  await tx.run('DELETE FROM images_profiles WHERE image_id = ?', [id]);
  const owner = await ownerProject(tx, project, 'profiles');
  for (const name of new Set(names)) {
    await tx.run(
      `INSERT INTO images_profiles (image_id, profile_id) SELECT ?, profiles.id FROM profiles
       JOIN projects ON projects.id = profiles.project_id WHERE projects.name = ? AND profiles.name = ?`,
      [id, owner, name],
    );
  }
}

async function saveImageSource(tx: Transaction, id: number, source: ImageSource): Promise<void> {
  await tx.run('INSERT INTO images_source (image_id, server, protocol, certificate, alias) VALUES (?, ?, ?, ?, ?)', [
    id,
    source.server,
    source.protocol,
    source.certificate,
    source.alias,
  ]);
}

async function load(
  reader: Reader,
  where: string,
  parameters: readonly SqlValue[],
  limit?: number,
): Promise<readonly ImageRecord[]> {
  const order = `ORDER BY projects.name, images.fingerprint${limit === undefined ? '' : ` LIMIT ${String(limit)}`}`;
  const rows = await reader.all<Row>(`${select} WHERE ${where} ${order}`, parameters);
  if (rows.length === 0) return [];
  const only = rows.length === 1 ? rows[0]?.id : undefined;
  const filter = only === undefined ? '' : 'WHERE image_id = ?';
  const values = only === undefined ? [] : [only];
  const properties = await loadConfigs(reader, imageProperties, only);
  const profiles = grouped(
    await reader.all<{ owner: number; name: string }>(
      `SELECT image_id AS owner, profiles.name FROM images_profiles
       JOIN profiles ON profiles.id = images_profiles.profile_id ${filter} ORDER BY profiles.id`,
      values,
    ),
    row => row.name,
  );
  const aliases = grouped(
    await reader.all<{ owner: number; name: string; description: string }>(
      `SELECT image_id AS owner, name, description FROM images_aliases ${filter} ORDER BY name`,
      values,
    ),
    ({ name, description }): ImageAlias => ({ name, description }),
  );
  const sources = new Map(
    (
      await reader.all<ImageSource & { owner: number }>(
        `SELECT image_id AS owner, server, protocol, certificate, alias FROM images_source ${filter}`,
        values,
      )
    ).map(({ owner, ...source }) => [owner, source]),
  );
  return rows.map(row => ({
    ...fromRow(row),
    source: sources.get(row.id),
    properties: { ...properties.get(row.id) },
    profiles: profiles.get(row.id) ?? [],
    aliases: aliases.get(row.id) ?? [],
  }));
}

function fromRow(row: Row): Omit<ImageRecord, 'properties' | 'profiles' | 'aliases' | 'source'> {
  return {
    id: row.id,
    project: row.project,
    fingerprint: row.fingerprint,
    filename: row.filename,
    size: row.size,
    public: row.public === 1,
    architecture: row.architecture,
    createdAt: row.creation_date,
    expiresAt: row.expiry_date,
    uploadedAt: row.upload_date,
    lastUsedAt: row.last_use_date,
    cached: row.cached === 1,
    autoUpdate: row.auto_update === 1,
    split: row.split === 1,
    ready: row.ready === 1,
  };
}

function grouped<R extends { readonly owner: number }, V>(
  rows: readonly R[],
  value: (row: R) => V,
): ReadonlyMap<number, V[]> {
  const groups = new Map<number, V[]>();
  for (const row of rows) {
    const group = groups.get(row.owner);
    if (group) group.push(value(row));
    else groups.set(row.owner, [value(row)]);
  }
  return groups;
}
