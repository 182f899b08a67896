import path from 'node:path';
import { unescapeMountField } from '#base/mount-fields.ts';
import { hasControlCharacters } from '#base/names.ts';
import type { NamedLine } from './key-names.ts';
import type { Mapping } from './mapping.ts';

export type FileKind = 'folder' | 'file' | 'char' | 'block';

export interface MountContext {
  /** what lies at a path of this machine; undefined when nothing does */
  readonly kindOf: (path: string) => FileKind | undefined;
  /** false when the server is another machine */
  readonly sameHost: boolean;
  /** its root was the host's: files of folders it shared have the guest's own ids */
  readonly wasPrivileged: boolean;
  /** where its root file system is, and is mounted when it runs: targets may begin with either */
  readonly roots: readonly string[];
}

const virtual =
  'proc|sysfs|tmpfs|devtmpfs|devpts|mqueue|cgroup|cgroup2|debugfs|tracefs|securityfs|pstore|fusectl|overlay';

/** Nodes that every container has. */
const usual = ['/dev/fuse', '/dev/net/tun', '/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom'];

/** One line as in fstab(5): "source target type options". */
export function mapMount(mapping: Mapping, line: NamedLine, fields: string, context: MountContext): void {
  const [source = '', given = '', type = 'none', joined = ''] = fields.trim().split(/\s+/).map(unescapeMountField);
  const options = joined.split(',');
  const target = targetOf(given, context.roots);
  if (target === undefined) return mapping.drop(line, 'its target is no path in the container');
  const isBind = options.some(option => option === 'bind' || option === 'rbind');
  if (!isBind && new RegExp(`^(${virtual})$`).test(type))
    return mapping.drop(line, 'the daemon mounts what guests need of this kind');
  if (!source.startsWith('/') || source.split('/').includes('..') || hasControlCharacters(source))
    return mapping.drop(line, 'its source is no absolute path');
  if (/^\/(sys|proc)(\/|$)/.test(source))
    return mapping.drop(line, 'the daemon mounts what guests need of /sys and /proc');
  if (usual.includes(source)) return mapping.drop(line, 'every container has it');
  if (!context.sameHost) return mapping.drop(line, `"${source}" is on this machine, not on the server`);
  const kind = context.kindOf(source);
  if (kind === undefined && !options.includes('optional'))
    return mapping.drop(line, `"${source}" is not there on this machine`);
  const name = deviceName(mapping, target);
  const required = options.includes('optional') ? { required: 'false' } : {};
  if (isBind && (kind === 'char' || kind === 'block'))
    return mapping.add(line, name, { type: `unix-${kind}`, source, path: target, ...required });
  addDisk(mapping, line, name, { options, source, target, required, isBind, context });
}

interface DiskMount {
  readonly options: readonly string[];
  readonly source: string;
  readonly target: string;
  readonly required: Readonly<Record<string, string>>;
  readonly isBind: boolean;
  readonly context: MountContext;
}

function addDisk(
  mapping: Mapping,
  line: NamedLine,
  name: string,
  { options, source, target, required, isBind, context }: DiskMount,
): void {
  const readonly = options.includes('ro');
  const shift = isBind && context.wasPrivileged;
  mapping.add(
    line,
    name,
    {
      type: 'disk',
      source,
      path: target,
      ...(readonly && { readonly: 'true' }),
      ...(options.includes('rbind') && !readonly && { recursive: 'true' }),
      ...(shift && { shift: 'true' }),
      ...required,
    },
    isBind && !shift ? 'its files keep the ids they have on the host' : '',
  );
}

/** A relative target is one below the root; an absolute one begins with where the root is mounted. */
function targetOf(given: string, roots: readonly string[]): string | undefined {
  if (given === '' || given.split('/').includes('..') || hasControlCharacters(given)) return undefined;
  const root = roots.find(one => given === one || given.startsWith(`${one}/`));
  const target = path.posix.normalize(`/${root === undefined ? given : given.slice(root.length)}`).replace(/\/$/, '');
  return target === '' ? undefined : target;
}

function deviceName(mapping: Mapping, target: string): string {
  const base =
    target
      .slice(1)
      .replace(/[^A-Za-z0-9_.-]+/g, '-')
      .replace(/^[-.]+/, '')
      .slice(0, 50) || 'disk';
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${String(number)}`;
    if (!Object.hasOwn(mapping.devices, name) && name !== 'root') return name;
  }
}
