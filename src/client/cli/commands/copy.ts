import { ApiError } from '#api/error.ts';
import type { ConfigMap, DevicesMap } from '#api/common.ts';
import type { Client } from '../../client.ts';
import { command, type CommandSpec, flag, list, text } from '../command.ts';
import { deviceOverrides, parsePairs } from '../key-values.ts';
import type { Session } from '../session.ts';

const copyOptions = {
  allowInconsistent: flag('--allow-inconsistent', 'Ignore copy errors for volatile files'),
  config: list('-c,--config', 'Config key/value to apply to the new instance'),
  device: list('-d,--device', 'New key/value to apply to a specific device'),
  instanceOnly: flag('--instance-only', 'Copy the instance without its snapshots'),
  noProfiles: flag('--no-profiles', 'Create the instance with no profiles applied'),
  profile: list('-p,--profile', 'Profile to apply to the new instance'),
  stateless: flag('--stateless', 'Copy a stateful instance stateless'),
  storage: text('-s,--storage', 'Storage pool name'),
} as const;

export const commands: readonly CommandSpec[] = [
  command({
    path: 'copy',
    aliases: ['cp'],
    usage: '[<remote>:]<source>[/<snapshot>] [[<remote>:]<destination>]',
    summary: 'Copy instances within a server',
    examples: [
      ['copy c1 c2', 'Copy an instance with its snapshots.'],
      ['copy c1/snap0 c2', 'A new instance from a snapshot.'],
    ],
    options: {
      ...copyOptions,
      ephemeral: flag('-e,--ephemeral', 'Ephemeral instance'),
      refresh: flag('--refresh', 'Perform an incremental copy'),
    },
    run: async (session, [from = '', to = ''], options) => {
      await copyInstance(session, from, to, options);
    },
  }),
  command({
    path: 'move',
    aliases: ['mv'],
    usage: '[<remote>:]<instance>[/<snapshot>] [[<remote>:]<instance>[/<snapshot>]]',
    summary: 'Move or rename instances within a server',
    examples: [
      ['move c1 c2', 'Rename an instance.'],
      ['move c1 --storage fast', 'Move it to another storage pool.'],
    ],
    options: { storage: copyOptions.storage, instanceOnly: copyOptions.instanceOnly },
    run: async (session, [from = '', to = ''], options) => {
      if (options.storage === undefined) return rename(session, from, to);
      const { client, name } = sameServer(
        await session.object(from, 'instance'),
        to === '' ? undefined : await session.at(to),
      );
      const target = session.named(to).name || name;
      const { transport } = client;
      const { OperationHandle } = await import('../../operation-handle.ts');
      const { operation } = await transport.call('POST', client.instances.path(name), {
        body: { name: target, migration: true, pool: options.storage, instance_only: options.instanceOnly },
      });
      await session.finish(Promise.resolve(operation && new OperationHandle(transport, operation)), `Moving ${name}`);
      return;
    },
  }),
  command({
    path: 'rename',
    usage: '[<remote>:]<instance>[/<snapshot>] <instance>[/<snapshot>]',
    summary: 'Rename instances and snapshots',
    examples: [
      ['rename c1 web', 'Rename an instance that is stopped.'],
      ['rename c1/snap0 c1/before-upgrade', 'Rename a snapshot.'],
    ],
    run: (session, [from = '', to = '']) => rename(session, from, to),
  }),
];

async function rename(session: Session, from: string, to: string): Promise<void> {
  const source = session.namedPath(from);
  const target = session.namedPath(to);
  if (target.remote !== undefined && target.remote !== source.remote) {
    throw new ApiError(
      'unsupported',
      'Cannot move an instance to another server yet: only names on one server can change',
    );
  }
  if (target.name === '') throw new ApiError('invalid-argument', 'Name what it shall be called');
  const client = await session.client(source.remote);
  if (source.rest === undefined) {
    if (target.rest !== undefined)
      throw new ApiError('invalid-argument', `Invalid instance name "${target.name}/${target.rest}"`);
    await session.finish(client.instances.rename(source.name, target.name), `Renaming ${source.name}`);
    return;
  }
  if (target.rest !== undefined && target.name !== source.name) {
    throw new ApiError('invalid-argument', `Cannot move a snapshot of "${source.name}" to "${target.name}"`);
  }
  await session.finish(
    client.instances.snapshots(source.name).rename(source.rest, target.rest ?? target.name),
    'Renaming',
  );
}

interface At {
  readonly client: Client;
  readonly name: string;
}

function sameServer(source: At, target: At | undefined): At {
  if (target && target.client.transport.target !== source.client.transport.target) {
    throw new ApiError('unsupported', 'Cannot copy or move between servers yet: name a destination on the same one');
  }
  return source;
}

interface CopyOptions {
  readonly allowInconsistent: boolean;
  readonly config: readonly string[];
  readonly device: readonly string[];
  readonly ephemeral: boolean;
  readonly instanceOnly: boolean;
  readonly noProfiles: boolean;
  readonly profile: readonly string[];
  readonly refresh: boolean;
  readonly stateless: boolean;
  readonly storage: string | undefined;
}

async function copyInstance(session: Session, from: string, to: string, options: CopyOptions): Promise<void> {
  const source = session.namedPath(from);
  const client = await session.client(source.remote);
  const target = session.named(to);
  if (target.remote !== undefined) sameServer({ client, name: '' }, await session.at(to));
  if (target.name === '' && source.rest === undefined && to === '') {
    throw new ApiError('invalid-argument', 'Name the copy: two instances cannot have one name');
  }
  const original =
    source.rest === undefined
      ? await client.instances.get(source.name)
      : await client.instances.snapshots(source.name).get(source.rest);
  const request = {
    name: target.name,
    architecture: original.architecture,
    config: copiedConfig(original.config, options.config),
    devices: copiedDevices(original.devices, original.expanded_devices, options),
    ephemeral: options.ephemeral || original.ephemeral,
    stateful: options.stateless ? false : original.stateful,
    profiles: options.noProfiles ? [] : options.profile.length > 0 ? options.profile : original.profiles,
    ...('description' in original ? { description: original.description } : {}),
    source: {
      type: 'copy' as const,
      source: source.rest === undefined ? source.name : `${source.name}/${source.rest}`,
      instance_only: options.instanceOnly,
      live: !options.stateless && original.stateful,
      refresh: options.refresh,
      allow_inconsistent: options.allowInconsistent,
    },
  };
  const operation = await session.finish(client.instances.create(request), `Copying ${source.name}`);
  if (target.name === '') {
    const [url = ''] = operation?.resources?.['instances'] ?? [];
    session.line(`Instance name is: ${decodeURIComponent(url.split('/').pop() ?? '')}`);
  }
}

/** Volatile keys belong to the original, except what its image was. */
function copiedConfig(config: ConfigMap, overrides: readonly string[]): ConfigMap {
  const kept = Object.entries(config).filter(([key]) => !key.startsWith('volatile.') || key === 'volatile.base_image');
  return { ...Object.fromEntries(kept), ...parsePairs(overrides) };
}

function copiedDevices(
  devices: DevicesMap,
  expanded: DevicesMap,
  options: { readonly device: readonly string[]; readonly storage: string | undefined },
): DevicesMap {
  const copied: Record<string, Readonly<Record<string, string>>> = { ...devices };
  for (const [name, changes] of deviceOverrides(options.device))
    copied[name] = { ...(copied[name] ?? expanded[name]), ...changes };
  if (options.storage !== undefined) {
    const isRoot = (device: Readonly<Record<string, string>>): boolean =>
      device['type'] === 'disk' && device['path'] === '/';
    const [name, root] = Object.entries({ ...expanded, ...copied }).find(([, device]) => isRoot(device)) ?? ['root'];
    copied[name] = { type: 'disk', path: '/', ...root, pool: options.storage };
  }
  return copied;
}
