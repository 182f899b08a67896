import { closeSync, constants, fchmodSync, fchownSync, fstatSync, lstatSync, openSync } from 'node:fs';
import path from 'node:path';
import type { VolumeKind } from '#storage/driver.ts';
import { malformed, type MemberType } from '../images/tar-header.ts';
import { idRange } from '../instances/idmap.ts';
import type { TarEntry } from './tar-reader.ts';

/** The daemon opens these names of an instance's folder itself: each may only be what it has to be. */
const ownNames: Readonly<Record<string, MemberType>> = {
  rootfs: 'folder',
  templates: 'folder',
  'metadata.yaml': 'file',
  'backup.yaml': 'file',
};

/** Whether a member is unpacked: throws for one that must not be there; what is of no use here is left out. */
export function isUnpacked(kind: VolumeKind, name: string, type: MemberType): boolean {
  if (kind !== 'container') return true;
  const [first = '', ...inside] = name.split('/');
  const expected = Object.hasOwn(ownNames, first) ? ownNames[first] : undefined;
  if (expected === undefined) return false;
  const isTemplate = first === 'templates' && inside.length > 0;
  const wrong = inside.length === 0 ? type !== expected : expected === 'file' || (isTemplate && !isPlain(type));
  if (wrong) throw malformed(`"${name.slice(0, 200)}" must not be in a backup as a ${type.replace('-', ' ')}`);
  return true;
}

function isPlain(type: MemberType): boolean {
  return type === 'file' || type === 'folder';
}

/** The top folder of a custom volume is the guest's; that of an instance is the daemon's own. */
export function adoptTop(folder: string, kind: VolumeKind, { uid, gid, mode, member }: TarEntry): void {
  if (member.type !== 'folder') throw malformed(`"${member.name.slice(0, 200)}" is not a folder`);
  if (kind !== 'custom') return;
  const top = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    fchownSync(top, uid, gid);
    fchmodSync(top, mode & 0o7777);
  } finally {
    closeSync(top);
  }
}

/** Where ids are shifted on disk, the container's root owns the top folder; nobody on this host has such an id. */
function isContainerId(uid: number): boolean {
  const { first, size } = idRange();
  return uid >= first && uid < first + size;
}

/** Throws unless a tree that was received is one that an instance can be started from. */
export function checkTree(folder: string, kind: VolumeKind): void {
  if (kind !== 'container') return;
  const top = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const { uid, gid } = fstatSync(top);
    if (gid !== 0 || (uid !== 0 && !isContainerId(uid)))
      throw malformed('its top folder belongs neither to root nor to the ids of containers here');
  } finally {
    closeSync(top);
  }
  for (const [name, expected] of Object.entries(ownNames)) {
    const found = lstatSync(path.join(folder, name), { throwIfNoEntry: false });
    if (name === 'rootfs' && !found) throw malformed('it has no rootfs');
    const fits = !found || (expected === 'folder' ? found.isDirectory() : found.isFile() && found.nlink === 1);
    if (!fits) throw malformed(`"${name}" is not a ${expected}`);
  }
}
