import { statSync } from 'node:fs';
import path from 'node:path';
import type { DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { defineKeys, effectiveBoolean, type KeyRule } from '#base/config-schema.ts';
import type { DeviceContext, DeviceProblem, DeviceType } from './device.ts';
import { nodeDevice } from './node-device.ts';
import { ownerKeys, ownerOf } from './unix-keys.ts';
import { numberOf, type UnixNode } from './unix-node.ts';

const number: KeyRule = { type: 'integer', min: 0, max: 2 ** 20 - 1, summary: 'Number of the device' };

const keys = defineKeys({
  ...ownerKeys,
  source: { type: 'string', summary: 'Device of the host', check: sourceProblem },
  path: { type: 'string', summary: 'Where it is in the instance; as on the host when not set', check: pathProblem },
  major: number,
  minor: number,
  required: {
    type: 'boolean',
    default: 'true',
    summary: 'Refuse to start without; otherwise it comes when it appears',
  },
});

/** Folder whose devices may be passed on and are watched: /dev unless LXD_DEVMONITOR_DIR names another. */
export function deviceRoot(): string {
  return process.env['LXD_DEVMONITOR_DIR'] || '/dev';
}

/** A character device of the host. */
export const unixChar = unixDevice('unix-char', 'char');
/** A block device of the host, as a node: not mounted. */
export const unixBlock = unixDevice('unix-block', 'block');

function unixDevice(type: string, kind: 'char' | 'block'): DeviceType {
  return nodeDevice({
    type,
    keys,
    problem(options: DeviceMap): DeviceProblem | undefined {
      if (!options['source'] && !options['path']) return { key: 'source', reason: 'or "path" is required' };
      return undefined;
    },
    hotplugs: options => !effectiveBoolean(keys, options, 'required'),
    watched: options => [sourceOf(options)],
    nodes(context: DeviceContext): readonly UnixNode[] {
      const { name, options } = context;
      const node = nodeOf(options, kind);
      if (node) return [node];
      if (!effectiveBoolean(keys, options, 'required')) return [];
      const what = kind === 'char' ? 'character' : 'block';
      throw new ApiError(
        'failed-precondition',
        `Device "${name}" cannot start: "${sourceOf(options)}" is no ${what} device of this host`,
      );
    },
  });
}

function nodeOf(options: DeviceMap, kind: 'char' | 'block'): UnixNode | undefined {
  const source = sourceOf(options);
  const target = path.posix.normalize(`/${options['path'] || options['source'] || ''}`).replace(/^\/+/, '/');
  const numbered = options['major'] && options['minor'];
  const found = numberOf(source);
  const number = numbered ? { kind, major: Number(options['major']), minor: Number(options['minor']) } : found;
  if (number?.kind !== kind) return undefined;
  // A device that must not be required to exist comes and goes with its source.
  if (numbered && !found && !effectiveBoolean(keys, options, 'required')) return undefined;
  const mode = found && !numbered ? statSync(source).mode & 0o777 : undefined;
  return { number, target, ...ownerOf(options, mode) };
}

function sourceOf(options: DeviceMap): string {
  return options['source'] || options['path'] || '';
}

function sourceProblem(value: string): string | undefined {
  const root = deviceRoot();
  if (value.split('/').includes('..')) return 'must not hold ".."';
  return value.startsWith(`${root}/`) ? undefined : `must be in ${root}`;
}

function pathProblem(value: string): string | undefined {
  if (value.split('/').includes('..')) return 'must not hold ".."';
  return value.length < 200 ? undefined : 'is too long';
}
