import { lstatSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { kernel } from '#native/kernel.ts';
import { hostIdOf, type Idmap } from '../runtime/idmap.ts';
import type { ContainerMount, DeviceNumber } from '../runtime/runtime.ts';

/** A device node of one instance, made below the state directory and mounted into the container. */
export interface UnixNode {
  readonly number: DeviceNumber;
  /** absolute path in the container */
  readonly target: string;
  readonly mode: number;
  /** ids inside the container */
  readonly uid: number;
  readonly gid: number;
}

/** Whose nodes: the folder of the instance and the name of its device. */
export interface NodeOwner {
  /** devices/INSTANCE below the state directory */
  readonly folder: string;
  readonly device: string;
}

const kindBits = { char: 0o020_000, block: 0o060_000 } as const;

/** Text as part of a file name, as LXD writes it: "-" is doubled, "/" becomes "-". */
export function encodeName(text: string): string {
  return text.replaceAll('-', '--').replaceAll('/', '-');
}

export function decodeName(text: string): string {
  return text.replace(/--|-/g, dashes => (dashes === '--' ? '-' : '/'));
}

function prefixOf({ device }: NodeOwner): string {
  return `unix.${encodeName(device)}.`;
}

function fileOf(owner: NodeOwner, target: string): string {
  return path.join(owner.folder, `${prefixOf(owner)}${encodeName(target.replace(/^\/+/, ''))}`);
}

/** Makes the node anew and returns the mount that brings it into the container. */
export async function createNode(owner: NodeOwner, node: UnixNode, idmap: Idmap | undefined): Promise<ContainerMount> {
  const file = fileOf(owner, node.target);
  // The container's root passes on its way to the node.
  await mkdir(owner.folder, { recursive: true, mode: 0o711 });
  await rm(file, { force: true });
  const { kind, major, minor } = node.number;
  kernel.makeNode(file, kindBits[kind] | node.mode, major, minor);
  await chown(file, hostIdOf(idmap, 'uid', node.uid), hostIdOf(idmap, 'gid', node.gid));
  await chmod(file, node.mode); // whatever the umask was
  return { source: file, target: node.target, kind: 'file', device: node.number };
}

/** The nodes that a device has now. */
export async function listNodes(owner: NodeOwner): Promise<readonly { target: string; number: DeviceNumber }[]> {
  const prefix = prefixOf(owner);
  const names = await readdir(owner.folder).catch(() => []);
  return names
    .filter(name => name.startsWith(prefix))
    .flatMap(name => {
      const number = numberOf(path.join(owner.folder, name));
      return number ? [{ target: `/${decodeName(name.slice(prefix.length))}`, number }] : [];
    });
}

/** Removes one node, or all of a device. Succeeds when there is none. */
export async function removeNodes(owner: NodeOwner, target?: string): Promise<void> {
  const targets = target === undefined ? (await listNodes(owner)).map(node => node.target) : [target];
  for (const one of targets) await rm(fileOf(owner, one), { force: true });
}

/** Kind and number of the device that a path names; undefined when it is none or not there. Links are not followed. */
export function numberOf(file: string): DeviceNumber | undefined {
  const entry = lstatSync(file, { throwIfNoEntry: false });
  if (!entry || !(entry.isCharacterDevice() || entry.isBlockDevice())) return undefined;
  return { kind: entry.isBlockDevice() ? 'block' : 'char', ...splitNumber(entry.rdev) };
}

/** As glibc's gnu_dev_major() and gnu_dev_minor(). */
function splitNumber(rdev: number): { readonly major: number; readonly minor: number } {
  const value = BigInt(rdev);
  const major = ((value >> 8n) & 0xfffn) | ((value >> 32n) & ~0xfffn);
  const minor = (value & 0xffn) | ((value >> 12n) & ~0xffn & 0xffff_ffffn);
  return { major: Number(major), minor: Number(minor) };
}
