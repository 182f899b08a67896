import { lstat, mkdir, readdir, readlink, realpath, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { invalid } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { Revert } from '#base/revert.ts';
import { copyMissing, copyTree, removeTree } from '#storage/copy-tree.ts';
import { Folder } from '#storage/trees/folder.ts';
import { findVolume } from '../database/storage-volumes.ts';
import { listVolumeSnapshots } from '../database/volume-snapshots.ts';
import type { Services } from '../services.ts';
import type { ConfigFollower, PreparedChange } from '../settings/update-settings.ts';
import { assertNotRunning, type CustomAt, type VolumeServices } from './volume.ts';
import { holdForServer, releaseForServer } from './use-volume.ts';

/** Folders of the state directory that can lie in a custom volume instead, by the config key that names it. */
const folders = { 'storage.backups_volume': 'backups', 'storage.images_volume': 'images' } as const;
type FolderKey = keyof typeof folders;

const folderKeys = Object.keys(folders) as readonly FolderKey[];

/** Where a folder of the server lies, and beside that what is moving there: `content`, and the link `from`. */
interface Place {
  readonly folder: string;
  readonly staging: string;
}

/** Moves folders between the state directory and volumes as the config says. */
export function followFolders(services: VolumeServices): ConfigFollower {
  return {
    what: 'copying files of the server',
    keys: folderKeys,
    prepare: async (before, after, changed) => {
      await using revert = new Revert(services.log);
      const moves: Required<PreparedChange>[] = [];
      for (const key of folderKeys.filter(key => changed.includes(key))) {
        const move = await prepareMove(services, key, before, after);
        revert.add('copying files of the server', () => move.undo());
        moves.push(move);
      }
      const copied = revert.transfer();
      return {
        undo: () => copied[Symbol.asyncDispose](),
        finish: async () => {
          for (const move of moves) await move.finish();
        },
      };
    },
  };
}

/** Throws "invalid-argument" for a volume that cannot be taken; copies the folder's content to its new place. */
async function prepareMove(
  services: VolumeServices,
  key: FolderKey,
  before: ConfigMap,
  after: ConfigMap,
): Promise<Required<PreparedChange>> {
  const [old, target] = [volumeOf(before[key]), volumeOf(after[key])];
  const isOwn = folderKeys.some(other => other !== key && after[other] !== undefined && after[other] === after[key]);
  if (isOwn) throw invalid(key, `storage volume "${after[key] ?? ''}" holds other files of the server`);
  if (target) await checkVolume(services, key, target);
  const home = path.join(services.paths.root, folders[key]);
  const place = await placeOf(services, key, target);
  const undo = async (): Promise<void> => {
    await removeTree(place.staging);
    if (target) await releaseForServer(services, target, key);
  };
  try {
    if (target) await checkEmpty(key, place, after[key] ?? '');
    const from = await realpath(home);
    await removeTree(place.staging);
    await mkdir(place.staging, { mode: 0o700 });
    await symlink(from, path.join(place.staging, 'from'));
    await copyTree(from, path.join(place.staging, 'content'));
    await faultPoint('server-folder.after-copy');
  } catch (error) {
    await undo();
    throw error;
  }
  const finish = async (): Promise<void> => {
    await faultPoint('server-folder.after-write');
    await finishMove(home, place, target !== undefined);
    if (old) await releaseForServer(services, old, key);
  };
  return { finish, undo };
}

/** Mounts the volumes that hold folders of the server, and finishes moves that the daemon's end cut off. */
export async function placeServerFolders(services: VolumeServices & Pick<Services, 'settings'>): Promise<void> {
  using _lock = await services.locks.hold('server-config', 'find folders');
  const config = services.settings.visible;
  for (const key of folderKeys) {
    const target = volumeOf(config[key]);
    const home = path.join(services.paths.root, folders[key]);
    try {
      const place = await placeOf(services, key, target);
      if (await exists(path.join(place.staging, 'from'))) await finishMove(home, place, target !== undefined);
      if (target) await removeTree(stagingAtHome(home));
    } catch (error) {
      services.log.error(`Failed finding the folder "${folders[key]}" in storage volume "${config[key] ?? ''}"`, {
        error,
      });
    }
  }
}

function volumeOf(setting = ''): CustomAt | undefined {
  const [pool = '', name = ''] = setting.split('/');
  return setting === '' ? undefined : { pool, name, project: 'default' };
}

async function checkVolume(services: VolumeServices, key: FolderKey, at: CustomAt): Promise<void> {
  await services.database.read(async reader => {
    const record = await findVolume(reader, { ...at, type: 'custom' });
    if (!record?.ready) throw invalid(key, `storage volume "${at.pool}/${at.name}" not found in project "default"`);
    if ((await listVolumeSnapshots(reader, record.id)).length > 0)
      throw invalid(key, 'storage volumes for use by the server itself cannot have snapshots');
    await assertNotRunning(services, reader, at, 'use');
  });
}

async function checkEmpty(key: FolderKey, { folder, staging }: Place, setting: string): Promise<void> {
  const ours = ['lost+found', path.basename(staging)];
  if ((await readdir(folder)).some(name => !ours.includes(name)))
    throw invalid(key, `storage volume "${setting}" is not empty`);
}

/** A volume is mounted until it is released. */
async function placeOf(services: VolumeServices, key: FolderKey, at: CustomAt | undefined): Promise<Place> {
  const home = path.join(services.paths.root, folders[key]);
  if (!at) return { folder: home, staging: stagingAtHome(home) };
  const folder = await holdForServer(services, at, key);
  return { folder, staging: path.join(folder, '.moving') };
}

function stagingAtHome(home: string): string {
  return `${home}.moving`;
}

/** Puts what was copied in place, then what came to the old place meanwhile, and empties that. May be done twice. */
async function finishMove(home: string, { folder, staging }: Place, inVolume: boolean): Promise<void> {
  const content = path.join(staging, 'content');
  const from = await readlink(path.join(staging, 'from'));
  if (inVolume) {
    takeOver(folder);
    for (const name of await readdir(content).catch(() => []))
      await rename(path.join(content, name), path.join(folder, name));
    await removeTree(content);
    await linkHome(home, folder);
  } else if (await isLink(home)) exchange(home, content);
  await faultPoint('server-folder.after-place');
  await emptyOld(from === home ? `${home}.old` : from, folder);
  if (from === home) await removeTree(`${home}.old`);
  await removeTree(staging);
}

/** In one step, so that there is a folder at any time; a folder that was there is then beside it as NAME.old. */
async function linkHome(home: string, folder: string): Promise<void> {
  if ((await isLink(home)) && (await readlink(home)) === folder) return;
  const beside = `${home}.old`;
  await rm(beside, { force: true });
  await symlink(folder, beside);
  if (await isLink(home)) await rename(beside, home);
  else exchange(home, beside);
}

async function emptyOld(old: string, folder: string): Promise<void> {
  if (!(await exists(old))) return;
  await copyMissing(old, folder);
  for (const name of await readdir(old)) await removeTree(path.join(old, name));
}

/** Volumes are their instances' as they are made; nobody else may read what the server keeps. */
function takeOver(folder: string): void {
  using opened = Folder.open(folder);
  opened.takeOver(0o700);
}

function exchange(one: string, other: string): void {
  using parent = Folder.open(path.dirname(one));
  parent.exchange(path.basename(one), path.relative(path.dirname(one), other));
}

async function isLink(file: string): Promise<boolean> {
  return (await lstat(file).catch(() => undefined))?.isSymbolicLink() ?? false;
}

async function exists(file: string): Promise<boolean> {
  return (await lstat(file).catch(() => undefined)) !== undefined;
}
