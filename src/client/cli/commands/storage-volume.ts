import { ApiError } from '#api/error.ts';
import { zeroTime } from '#api/common.ts';
import type { StorageVolume } from '#api/storage.ts';
import { formatSize } from '#base/units.ts';
import { command, type CommandSpec, flag, type Format, formatOption, targetOption, text } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { editingCommands } from '../object-editing.ts';
import { shortDate } from '../output/dates.ts';
import { printList } from '../output/table.ts';
import { attachmentCommands } from './attachment.ts';

const volumeColumns: Readonly<Record<string, readonly [string, (volume: StorageVolume) => string]>> = {
  c: ['CONTENT-TYPE', volume => volume.content_type],
  d: ['DESCRIPTION', volume => volume.description],
  e: ['PROJECT', volume => volume.project],
  L: ['LOCATION', volume => volume.location],
  n: ['NAME', volume => volume.name],
  t: ['TYPE', volume => (volume.name.includes('/') ? `${volume.type} (snapshot)` : volume.type)],
  u: ['USED BY', volume => String(volume.used_by.length)],
};

const lifeCommands: readonly CommandSpec[] = [
  command({
    path: 'storage volume list',
    aliases: ['ls'],
    usage: '[<remote>:]<pool>',
    summary: 'List storage volumes',
    details: `Columns (-c):\n${Object.entries(volumeColumns)
      .map(([letter, [title]]) => `  ${letter} - ${title}`)
      .join('\n')}`,
    examples: [['storage volume list default', 'Show the volumes of instances, images and users.']],
    options: {
      allProjects: flag('--all-projects', 'All projects'),
      columns: text('-c,--columns', 'Columns', 'tndcu'),
      format: formatOption,
    },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.object(target, 'storage pool');
      const columns = options.columns.split('').map(letter => {
        const column = volumeColumns[letter];
        if (!column) throw new ApiError('invalid-argument', `Unknown column "${letter}"`);
        return column;
      });
      const query = options.allProjects ? { 'all-projects': true } : {};
      const volumes = await client.storagePools.allVolumes(name).list(query);
      await printList(session, options.format as Format, volumes, () => ({
        header: columns.map(([title]) => title),
        rows: volumes.map(volume => columns.map(([, value]) => value(volume))),
      }));
    },
  }),
  command({
    path: 'storage volume create',
    usage: '[<remote>:]<pool> <volume> [key=value...]',
    summary: 'Create new custom storage volumes',
    examples: [['storage volume create default data size=10GiB', 'A volume that instances can share.']],
    options: { target: targetOption, type: text('--type', 'Content type', 'filesystem', ['filesystem']) },
    run: async (session, [target = '', volume = '', ...pairs], options) => {
      const { client, name } = await session.object(target, 'storage pool');
      const { type, name: volumeName } = volumeNamed(volume);
      await session.finish(
        client.storagePools
          .volumes(name, type)
          .create({ name: volumeName, type, content_type: options.type, config: parsePairs(pairs), description: '' }),
      );
      session.note(`Storage volume ${volumeName} created`);
    },
  }),
  command({
    path: 'storage volume delete',
    aliases: ['rm'],
    usage: '[<remote>:]<pool> <volume>[/<snapshot>]',
    summary: 'Delete storage volumes',
    examples: [
      ['storage volume delete default data', 'Delete a volume that nothing uses.'],
      ['storage volume delete default data/snap0', 'Delete one snapshot of it.'],
    ],
    options: { target: targetOption },
    run: async (session, [target = '', given = '']) => {
      const { client, name } = await session.object(target, 'storage pool');
      const { type, name: volume, snapshot } = volumeNamed(given);
      const collection =
        snapshot === undefined
          ? client.storagePools.volumes(name, type)
          : client.storagePools.volumeSnapshots(name, type, volume);
      await session.finish(collection.delete(snapshot ?? volume));
      session.note(`Storage volume ${snapshot === undefined ? volume : `${volume}/${snapshot}`} deleted`);
    },
  }),
  command({
    path: 'storage volume rename',
    usage: '[<remote>:]<pool> <old name>[/<snapshot>] <new name>[/<snapshot>]',
    summary: 'Rename storage volumes and storage volume snapshots',
    examples: [['storage volume rename default data archive', 'Rename a volume.']],
    run: async (session, [target = '', from = '', to = '']) => {
      const { client, name } = await session.object(target, 'storage pool');
      const source = volumeNamed(from);
      const goal = volumeNamed(to);
      if (source.snapshot === undefined) {
        await session.finish(client.storagePools.volumes(name, source.type).rename(source.name, goal.name));
      } else {
        const snapshots = client.storagePools.volumeSnapshots(name, source.type, source.name);
        await session.finish(snapshots.rename(source.snapshot, goal.snapshot ?? goal.name));
      }
      session.note(`Renamed storage volume ${from} to ${to}`);
    },
  }),
  command({
    path: 'storage volume info',
    usage: '[<remote>:]<pool> <volume>',
    summary: 'Show storage volume state information',
    examples: [['storage volume info default data', 'Show its size and snapshots.']],
    run: async (session, [target = '', given = '']) => {
      const { client, name } = await session.object(target, 'storage pool');
      const { type, name: volumeName } = volumeNamed(given);
      const volume = await client.storagePools.volumes(name, type).get(volumeName);
      const { used } = await client.storagePools.volumeUsage(name, type, volumeName);
      const lines = [`Name: ${volume.name}`];
      if (volume.description) lines.push(`Description: ${volume.description}`);
      lines.push(`Type: ${volume.type}`, `Content type: ${volume.content_type}`);
      if (used !== undefined) lines.push(`Usage: ${formatSize(used)}`);
      if (shortDate(volume.created_at)) lines.push(`Created: ${shortDate(volume.created_at)}`);
      session.line(lines.join('\n'));
      if (type !== 'custom') return;
      const snapshots = await client.storagePools.volumeSnapshots(name, type, volumeName).list();
      if (snapshots.length === 0) return;
      const { renderTable } = await import('../output/table.ts');
      session.out(
        `\nSnapshots:\n${renderTable({
          header: ['NAME', 'DESCRIPTION', 'EXPIRES AT'],
          rows: snapshots.map(entry => [
            entry.name.split('/').pop() ?? '',
            entry.description,
            shortDate(entry.expires_at),
          ]),
        })}`,
      );
    },
  }),
  command({
    path: 'storage volume snapshot',
    usage: '[<remote>:]<pool> <volume> [<snapshot>]',
    summary: 'Snapshot storage volumes',
    examples: [['storage volume snapshot default data snap0', 'Keep what "data" holds now.']],
    options: {
      noExpiry: flag('--no-expiry', 'Ignore any configured auto-expiry for the storage volume'),
      reuse: flag('--reuse', 'If the snapshot name already exists, delete and create a new one'),
    },
    run: async (session, [target = '', volume = '', snapshot = ''], options) => {
      const { client, name } = await session.object(target, 'storage pool');
      const snapshots = client.storagePools.volumeSnapshots(name, 'custom', volumeNamed(volume).name);
      if (options.reuse && snapshot && (await snapshots.find(snapshot)))
        await session.finish(snapshots.delete(snapshot));
      await session.finish(snapshots.create({ name: snapshot, ...(options.noExpiry ? { expires_at: zeroTime } : {}) }));
    },
  }),
  command({
    path: 'storage volume restore',
    usage: '[<remote>:]<pool> <volume> <snapshot>',
    summary: 'Restore storage volume snapshots',
    examples: [['storage volume restore default data snap0', 'Bring "data" back to "snap0".']],
    run: async (session, [target = '', volume = '', snapshot = '']) => {
      const { client, name } = await session.object(target, 'storage pool');
      const volumes = client.storagePools.volumes(name, 'custom');
      const { value, etag } = await volumes.tagged(volumeNamed(volume).name);
      await session.finish(
        volumes.replace(value.name, { config: value.config, description: value.description, restore: snapshot }, etag),
      );
    },
  }),
];

export const volumeCommands: readonly CommandSpec[] = [
  ...lifeCommands,
  ...editingCommands({
    path: 'storage volume',
    noun: 'storage volume',
    usage: '[<remote>:]<pool> [<type>/]<volume>',
    words: 2,
    sample: 'default data',
    setting: ['size', '20GiB'],
    load: async (session, [target = '', given = '']) => {
      const { client, name } = await session.object(target, 'storage pool');
      const { type, name: volume, snapshot } = volumeNamed(given);
      if (snapshot !== undefined)
        throw new ApiError('invalid-argument', `Cannot change "${given}": snapshots stay as they are`);
      const volumes = client.storagePools.volumes(name, type);
      const { value, etag } = await volumes.tagged(volume);
      const { config, description } = value;
      const { name: shownName, content_type, location, project, used_by } = value;
      return {
        put: { config, description },
        shown: { config, description, name: shownName, type, used_by, location, content_type, project },
        save: put => volumes.replace(volume, put, etag),
      };
    },
  }),
  ...attachmentCommands({
    path: 'storage volume',
    usage: '[<remote>:]<pool> <volume>',
    words: 2,
    noun: 'storage volume',
    sample: 'default data',
    more: '[<path>]',
    device: (pool, volume, mountPath) => ({
      type: 'disk',
      pool,
      source: volume,
      ...(mountPath ? { path: mountPath } : { path: `/mnt/${volume}` }),
    }),
    matches: (device, pool, volume) =>
      device['type'] === 'disk' && device['pool'] === pool && device['source'] === volume,
  }),
];

/** "[type/]volume[/snapshot]"; the type is custom unless it is named. */
export function volumeNamed(given: string): {
  readonly type: string;
  readonly name: string;
  readonly snapshot: string | undefined;
} {
  const parts = given.split('/');
  const typed = ['custom', 'container', 'image'].includes(parts[0] ?? '') && parts.length > 1;
  const [name = '', snapshot] = typed ? parts.slice(1) : parts;
  if (name === '') throw new ApiError('invalid-argument', `Missing volume name in "${given}"`);
  return { type: typed ? (parts[0] ?? 'custom') : 'custom', name, snapshot };
}
