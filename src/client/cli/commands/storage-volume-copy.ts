import { OperationHandle } from '../../operation-handle.ts';
import type { Client } from '../../client.ts';
import type { TransferMode } from '../../transfer.ts';
import { command, type CommandSpec, flag, text } from '../command.ts';
import type { Session } from '../session.ts';
import { volumeInPool, volumeNamed } from './volume-name.ts';

const usage = '[<remote>:]<pool>/<volume> [<remote>:]<pool>/<volume>';
const targetProject = text('--target-project', 'Project of the target, if it is another one');
const mode = text('--mode', 'Who dials between servers: pull, push or relay (through here)', 'pull');

/** copy, move and rename of volumes. */
export const copyVolumeCommands: readonly CommandSpec[] = [
  command({
    path: 'storage volume copy',
    aliases: ['cp'],
    usage: usage.replace('<volume>', '<volume>[/<snapshot>]'),
    summary: 'Copy storage volumes',
    examples: [
      ['storage volume copy default/data default/data2', 'Copy a volume with its snapshots.'],
      ['storage volume copy default/data/snap0 fast/old', 'Copy one snapshot into another pool.'],
      ['storage volume copy default/data backup/data --refresh', 'Bring an older copy up to date.'],
      ['storage volume copy default/data office:default/data', 'Copy a volume to another server.'],
    ],
    options: {
      mode,
      refresh: flag('--refresh', 'Refresh and update the existing storage volume copies'),
      targetProject,
      volumeOnly: flag('--volume-only', 'Copy the volume without its snapshots'),
    },
    run: async (session, [from = '', to = ''], options) => {
      const { client, to: other, source, target } = await endpoints(session, from, to);
      if (other) {
        await betweenServers(session, { client, other, source, target }, { ...options });
        session.note('Storage volume copied successfully!');
        return;
      }
      const [name = '', snapshot] = source.volume.split('/');
      const { storagePools } = client;
      const volume =
        snapshot === undefined
          ? await storagePools.volumes(source.pool, 'custom').get(name)
          : await storagePools.volumeSnapshots(source.pool, 'custom', name).get(snapshot);
      const body = {
        name: target.volume,
        type: 'custom',
        content_type: volume.content_type,
        config: volume.config,
        description: volume.description,
        source: {
          type: 'copy',
          name: source.volume,
          pool: source.pool,
          volume_only: options.volumeOnly,
          refresh: options.refresh,
          ...(options.targetProject === undefined ? {} : { project: await projectOf(client) }),
        },
      };
      const query = options.targetProject === undefined ? {} : { project: options.targetProject };
      await session.finish(storagePools.volumes(target.pool, 'custom').create(body, query), `Copying ${source.volume}`);
      session.note('Storage volume copied successfully!');
    },
  }),
  command({
    path: 'storage volume move',
    aliases: ['mv'],
    usage,
    summary: 'Move storage volumes between pools',
    examples: [['storage volume move default/data fast/data', 'Move a volume with its snapshots to the pool "fast".']],
    options: { mode, targetProject },
    run: async (session, [from = '', to = ''], options) => {
      const { client, to: other, source, target } = await endpoints(session, from, to);
      if (other) {
        await betweenServers(
          session,
          { client, other, source, target },
          { ...options, refresh: false, volumeOnly: false },
        );
        await session.finish(client.storagePools.volumes(source.pool, 'custom').delete(source.volume));
        session.note('Storage volume moved successfully!');
        return;
      }
      const project = options.targetProject === undefined ? {} : { project: options.targetProject };
      await post(session, client, source, { name: target.volume, pool: target.pool, ...project });
      session.note('Storage volume moved successfully!');
    },
  }),
  command({
    path: 'storage volume rename',
    usage: '[<remote>:]<pool> <old name>[/<snapshot>] <new name>[/<snapshot>]',
    summary: 'Rename storage volumes and storage volume snapshots',
    examples: [
      ['storage volume rename default data files', 'Rename a volume; devices that use it follow.'],
      ['storage volume rename default data/snap0 data/before', 'Rename a snapshot.'],
    ],
    run: async (session, [target = '', from = '', to = '']) => {
      const { client, name: pool } = await session.object(target, 'storage pool');
      const { type, name, snapshot } = volumeNamed(from);
      const { storagePools } = client;
      const renamed = to.split('/').pop() ?? '';
      await session.finish(
        snapshot === undefined
          ? storagePools.volumes(pool, type).rename(name, to)
          : storagePools.volumeSnapshots(pool, type, name).rename(snapshot, renamed),
      );
      session.note(`Renamed storage volume from "${from}" to "${snapshot === undefined ? to : renamed}"`);
    },
  }),
];

interface Endpoint {
  readonly pool: string;
  readonly volume: string;
}

async function endpoints(
  session: Session,
  from: string,
  to: string,
): Promise<{
  readonly client: Client;
  readonly to: Client | undefined;
  readonly source: Endpoint;
  readonly target: Endpoint;
}> {
  const source = await session.object(from, 'volume');
  const target = await session.object(to, 'volume');
  const between = source.client.transport.target !== target.client.transport.target;
  return {
    client: source.client,
    to: between ? target.client : undefined,
    source: volumeInPool(source.name),
    target: volumeInPool(target.name),
  };
}

interface Between {
  readonly client: Client;
  readonly other: Client;
  readonly source: Endpoint;
  readonly target: Endpoint;
}

async function betweenServers(
  session: Session,
  { client, other, source, target }: Between,
  options: {
    readonly mode: string;
    readonly refresh: boolean;
    readonly volumeOnly: boolean;
    readonly targetProject: string | undefined;
  },
): Promise<void> {
  const { transferVolume } = await import('../../transfer.ts');
  const { Client } = await import('../../client.ts');
  const [name = '', snapshot] = source.volume.split('/');
  const volumes = client.storagePools.volumes(source.pool, 'custom');
  const snapshots = client.storagePools.volumeSnapshots(source.pool, 'custom', name);
  const { config, description } = snapshot === undefined ? await volumes.get(name) : await snapshots.get(snapshot);
  const { targetProject } = options;
  const receiver = targetProject === undefined ? other : new Client(other.transport.inProject(targetProject));
  await session.watch(`Copying ${source.volume}`, onUpdate =>
    transferVolume(
      {
        ...options,
        mode: options.mode as TransferMode,
        source: client,
        target: receiver,
        path: snapshot === undefined ? volumes.path(name) : snapshots.path(snapshot),
        into: `${receiver.storagePools.path(target.pool)}/volumes/custom`,
        request: {
          name: target.volume,
          type: 'custom',
          content_type: 'filesystem',
          description,
          config: Object.fromEntries(Object.entries(config).filter(([key]) => !key.startsWith('volatile.'))),
        },
      },
      onUpdate,
    ),
  );
}

async function post(
  session: Session,
  { storagePools, transport }: Client,
  { pool, volume }: Endpoint,
  body: unknown,
): Promise<void> {
  const path = storagePools.volumes(pool, 'custom').path(volume);
  const { operation } = await transport.call('POST', path, { body });
  await session.finish(Promise.resolve(operation && new OperationHandle(transport, operation)), `Moving ${volume}`);
}

/** Project that the client works in. */
async function projectOf(client: Client): Promise<string> {
  return (await client.server.get()).value.environment?.project ?? 'default';
}
