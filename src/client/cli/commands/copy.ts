import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { InstancesPost } from '#api/instance.ts';
import type { Operation } from '#api/operation.ts';
import type { Client } from '../../client.ts';
import type { TransferMode } from '../../transfer.ts';
import { command, type CommandSpec, flag, list, text } from '../command.ts';
import { deviceOverrides, parsePairs } from '../key-values.ts';
import type { Session } from '../session.ts';

/** Options that copy and move share. */
export const copyOptions = {
  allowInconsistent: flag('--allow-inconsistent', 'Ignore copy errors for volatile files'),
  config: list('-c,--config', 'Config key/value to apply to the new instance'),
  device: list('-d,--device', 'New key/value to apply to a specific device'),
  instanceOnly: flag('--instance-only', 'Copy the instance without its snapshots'),
  mode: {
    ...text('--mode', 'Who dials between servers: pull, push or relay (through here)', 'pull'),
    values: ['pull', 'push', 'relay'],
  },
  noProfiles: flag('--no-profiles', 'Create the instance with no profiles applied'),
  profile: list('-p,--profile', 'Profile to apply to the new instance'),
  stateless: flag('--stateless', 'Copy a stateful instance stateless'),
  storage: text('-s,--storage', 'Storage pool name'),
  targetProject: text('--target-project', 'Copy to a project different from the source'),
} as const;

export const commands: readonly CommandSpec[] = [
  command({
    path: 'copy',
    aliases: ['cp'],
    usage: '[<remote>:]<source>[/<snapshot>] [[<remote>:]<destination>]',
    summary: 'Copy instances within or between servers',
    details:
      'Between servers the target fetches from the source unless --mode says otherwise. A refreshed copy stays as it was until all that is new has come. When the connection breaks, the snapshots that have come whole (and between pools that use rsync, all files) stay there for a week for --resume to go on with; until then such an instance cannot start.',
    examples: [
      ['copy c1 c2', 'Copy an instance with its snapshots.'],
      ['copy c1/snap0 c2', 'A new instance from a snapshot.'],
      ['copy c1 office:', 'The same instance on another server.'],
      ['copy c1 office: --refresh', 'Bring that copy up to date.'],
      ['copy c1 office: --resume', 'The connection was cut: bring what is missing.'],
    ],
    options: {
      ...copyOptions,
      ephemeral: flag('-e,--ephemeral', 'Ephemeral instance'),
      refresh: flag('--refresh', 'Perform an incremental copy'),
      resume: flag('--resume', 'Go on with a copy that was cut off'),
    },
    run: async (session, [from = '', to = ''], options) => {
      const mode = options.mode as TransferMode;
      const refresh = options.refresh || options.resume;
      const copy = { ...options, refresh, mode, keepIdentity: false };
      const { operation, name } = await copyInstance(session, from, to, copy);
      if (name !== '') return;
      const [url = ''] = operation?.resources?.['instances'] ?? [];
      session.line(`Instance name is: ${decodeURIComponent(url.split('/').pop() ?? '')}`);
    },
  }),
];

export interface CopyOptions {
  readonly allowInconsistent: boolean;
  readonly config: readonly string[];
  readonly device: readonly string[];
  readonly ephemeral: boolean;
  readonly instanceOnly: boolean;
  readonly mode: TransferMode;
  readonly noProfiles: boolean;
  readonly profile: readonly string[];
  readonly refresh: boolean;
  readonly stateless: boolean;
  readonly storage: string | undefined;
  readonly targetProject: string | undefined;
  /** MAC addresses and ids come along: the original will be gone */
  readonly keepIdentity: boolean;
}

/** Two ends of a copy; `between` is true when they are on different servers. */
export interface Ends {
  readonly source: Client;
  readonly target: Client;
  readonly between: boolean;
  /** name of the instance at the source, and of its snapshot when one is named */
  readonly from: string;
  readonly snapshot: string | undefined;
  /** name at the target; empty when the server shall make one up */
  readonly to: string;
}

export async function endsOf(
  session: Session,
  from: string,
  to: string,
  targetProject: string | undefined,
): Promise<Ends> {
  const given = session.namedPath(from);
  const source = await session.client(given.remote);
  const destination = session.named(to);
  const found = destination.remote === undefined && to === '' ? source : await session.client(destination.remote);
  const between = found.transport.target !== source.transport.target;
  const { Client } = await import('../../client.ts');
  const target = targetProject === undefined ? found : new Client(found.transport.inProject(targetProject));
  const name = destination.name !== '' || !between || given.rest !== undefined ? destination.name : given.name;
  return { source, target, between, from: given.name, snapshot: given.rest, to: name };
}

export async function copyInstance(
  session: Session,
  from: string,
  to: string,
  options: CopyOptions,
): Promise<{ readonly operation: Operation | undefined; readonly name: string }> {
  const ends = await endsOf(session, from, to, options.targetProject);
  if (ends.to === '' && ends.snapshot === undefined && to === '' && options.targetProject === undefined)
    throw new ApiError('invalid-argument', 'Name the copy: two instances cannot have one name');
  const { original, request } = await requestOf(ends, options);
  if (!ends.between) {
    const source = {
      type: 'copy' as const,
      source: ends.snapshot === undefined ? ends.from : `${ends.from}/${ends.snapshot}`,
      ...(ends.source.transport.project !== undefined && { project: ends.source.transport.project }),
      instance_only: options.instanceOnly,
      live: !options.stateless && original.stateful,
      refresh: options.refresh,
      allow_inconsistent: options.allowInconsistent,
    };
    const change = ends.target.instances.create({ ...request, source });
    return { operation: await session.finish(change, `Copying ${ends.from}`), name: ends.to };
  }
  const { transferInstance } = await import('../../transfer.ts');
  const { instances } = ends.source;
  const path =
    ends.snapshot === undefined ? instances.path(ends.from) : instances.snapshots(ends.from).path(ends.snapshot);
  const operation = await session.watch(`Copying ${ends.from}`, onUpdate =>
    transferInstance(
      {
        ...ends,
        ...options,
        path,
        request,
        live: !options.stateless && original.stateful,
      },
      onUpdate,
    ),
  );
  return { operation, name: ends.to };
}

/** What the target shall make, and of what. */
export async function requestOf(
  ends: Ends,
  options: CopyOptions,
): Promise<{
  readonly original: { readonly stateful: boolean; readonly ephemeral: boolean };
  readonly request: Omit<InstancesPost, 'source'>;
}> {
  const { instances } = ends.source;
  const original =
    ends.snapshot === undefined
      ? await instances.get(ends.from)
      : await instances.snapshots(ends.from).get(ends.snapshot);
  return {
    original,
    request: {
      name: ends.to,
      architecture: original.architecture,
      config: copiedConfig(original.config, options.config, options.keepIdentity),
      devices: copiedDevices(original.devices, original.expanded_devices, options),
      ephemeral: options.ephemeral || original.ephemeral,
      stateful: options.stateless ? false : original.stateful,
      profiles: options.noProfiles ? [] : options.profile.length > 0 ? options.profile : original.profiles,
      ...('description' in original ? { description: original.description } : {}),
    },
  };
}

/** Volatile keys belong to the original, except what its image was, unless the copy takes its place. */
function copiedConfig(config: ConfigMap, overrides: readonly string[], keepIdentity: boolean): ConfigMap {
  const kept = Object.entries(config).filter(
    ([key]) =>
      !key.startsWith('volatile.') ||
      key === 'volatile.base_image' ||
      (keepIdentity && /^volatile\.(uuid|cloud-init\.instance-id|[^.]+\.hwaddr)$/.test(key)),
  );
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
