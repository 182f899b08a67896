import { zeroTime } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { StorageVolume } from '#api/storage.ts';
import { formatSize } from '#base/units.ts';
import type { Client } from '../../client.ts';
import {
  command,
  type CommandSpec,
  flag,
  type Format,
  formatOption,
  noSnapshotOption,
  noTrashOption,
  text,
} from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { type Editable, editingCommands } from '../object-editing.ts';
import { usedByText } from '../output/used-by.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';
import { attachmentCommands } from './attachment.ts';
import { volumeNamed, type VolumeName } from './volume-name.ts';
import { copyVolumeCommands } from './storage-volume-copy.ts';

const volumeColumns: Readonly<Record<string, readonly [string, (volume: StorageVolume) => string]>> = {
  c: ['CONTENT-TYPE', volume => volume.content_type],
  d: ['DESCRIPTION', volume => volume.description],
  e: ['PROJECT', volume => volume.project],
  L: ['LOCATION', volume => volume.location],
  n: ['NAME', volume => volume.name],
  t: ['TYPE', volume => (volume.name.includes('/') ? `${volume.type} (snapshot)` : volume.type)],
  u: ['USED BY', volume => String(volume.used_by.length)],
};

const usage = '[<remote>:]<pool> [<type>/]<volume>';

export const volumeCommands: readonly CommandSpec[] = [
  command({
    path: 'storage volume list',
    aliases: ['ls'],
    usage: '[<remote>:]<pool> [<filter>...]',
    summary: 'List storage volumes',
    details: `Columns (-c):\n${Object.entries(volumeColumns)
      .map(([letter, [title]]) => `  ${letter} - ${title}`)
      .join('\n')}`,
    examples: [
      ['storage volume list default', 'Show the volumes of instances and images, and custom ones.'],
      ['storage volume list default type=custom', 'Show the custom volumes only.'],
    ],
    options: {
      allProjects: flag('--all-projects', 'All projects'),
      columns: text('-c,--columns', 'Columns', 'tndcu'),
      format: formatOption,
    },
    run: async (session, [target = '', ...filters], options) => {
      const { client, name } = await session.object(target, 'storage pool');
      const columns = options.columns.split('').map(letter => {
        const column = volumeColumns[letter];
        if (!column) throw new ApiError('invalid-argument', `Unknown column "${letter}"`);
        return column;
      });
      const query = {
        ...(options.allProjects ? { 'all-projects': true } : {}),
        ...(filters.length > 0 ? { filter: filters.map(clause).join(' and ') } : {}),
      };
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
    examples: [
      ['storage volume create default data', 'An empty volume.'],
      ['storage volume create default data size=10GiB', 'One that holds at most 10 GiB.'],
    ],
    options: { type: text('--type', 'Content type, block or filesystem', 'filesystem') },
    run: async (session, [target = '', given = '', ...pairs], options) => {
      const { client, name: pool } = await session.object(target, 'storage pool');
      const { type, name } = volumeNamed(given);
      await session.finish(
        client.storagePools.volumes(pool, type).create({
          name,
          type,
          content_type: options.type,
          description: '',
          config: parsePairs(pairs),
        }),
      );
      session.note(`Storage volume ${name} created`);
    },
  }),
  command({
    path: 'storage volume delete',
    aliases: ['rm'],
    usage: '[<remote>:]<pool> <volume>[/<snapshot>]',
    summary: 'Delete storage volumes',
    examples: [
      ['storage volume delete default data', 'Delete a volume that nothing uses, with its snapshots.'],
      ['storage volume delete default data/snap0', 'Delete one of its snapshots.'],
    ],
    details: 'A deleted volume stays in the trash for a while, from where "lxd-like trash restore" brings it back.',
    options: { noTrash: noTrashOption },
    run: async (session, [target = '', given = ''], options) => {
      const { client, name: pool } = await session.object(target, 'storage pool');
      const { type, name, snapshot } = volumeNamed(given);
      const { storagePools } = client;
      await session.finish(
        snapshot === undefined
          ? storagePools.volumes(pool, type).delete(name, { undoable: options.noTrash ? 0 : 1 })
          : storagePools.volumeSnapshots(pool, type, name).delete(snapshot),
      );
      session.note(`Storage volume ${given} deleted`);
    },
  }),
  command({
    path: 'storage volume info',
    usage: '[<remote>:]<pool> [<type>/]<volume>',
    summary: 'Show storage volume state information',
    examples: [['storage volume info default data', 'Show how full it is and its snapshots.']],
    run: async (session, [target = '', given = '']) => {
      const { client, name: pool } = await session.object(target, 'storage pool');
      session.out(await volumeInfo(client, pool, volumeNamed(given)));
    },
  }),
  command({
    path: 'storage volume snapshot',
    usage: '[<remote>:]<pool> <volume> [<snapshot>]',
    summary: 'Snapshot storage volumes',
    examples: [['storage volume snapshot default data before', 'Create a snapshot of "data" called "before".']],
    options: {
      noExpiry: flag('--no-expiry', 'Ignore any configured auto-expiry for the storage volume'),
      reuse: flag('--reuse', 'If the snapshot name already exists, delete and create a new one'),
    },
    run: async (session, [target = '', given = '', snapshot = ''], options) => {
      const { client, name: pool } = await session.object(target, 'storage pool');
      const { type, name } = volumeNamed(given);
      const snapshots = client.storagePools.volumeSnapshots(pool, type, name);
      if (options.reuse && snapshot !== '' && (await snapshots.find(snapshot)))
        await session.finish(snapshots.delete(snapshot));
      const expiry = options.noExpiry ? { expires_at: zeroTime } : {};
      await session.finish(snapshots.create({ name: snapshot, ...expiry }), `Creating a snapshot of ${name}`);
    },
  }),
  command({
    path: 'storage volume restore',
    usage: '[<remote>:]<pool> <volume> <snapshot>',
    summary: 'Restore storage volume snapshots',
    details: 'What is there now is kept as snapshot "before-restoreN", as "lxd-like restore --help" tells.',
    examples: [['storage volume restore default data before', 'Bring the files of "data" back to "before".']],
    options: { noSnapshot: noSnapshotOption },
    run: async (session, [target = '', given = '', snapshot = ''], options) => {
      const { client, name: pool } = await session.object(target, 'storage pool');
      const { type, name } = volumeNamed(given);
      const query = { undoable: options.noSnapshot ? 0 : 1 };
      const volumes = client.storagePools.volumes(pool, type);
      await session.finish(volumes.replace(name, { restore: snapshot }, undefined, query));
    },
  }),
  ...copyVolumeCommands,
  ...editingCommands({
    path: 'storage volume',
    noun: 'storage volume',
    usage: `${usage}[/<snapshot>]`,
    words: 2,
    sample: 'default data',
    setting: ['size', '20GiB'],
    load: loadVolume,
  }),
  ...attachmentCommands({
    path: 'storage volume',
    usage: '[<remote>:]<pool> <volume>',
    words: 2,
    noun: 'storage volume',
    sample: 'default data',
    more: '[<path>]',
    // a single word is the path
    placed: (volume, [first, path]) =>
      path === undefined ? { device: volume, more: first } : { device: first ?? volume, more: path },
    device: (pool, source, path) => ({ type: 'disk', pool, source, ...(path === undefined ? {} : { path }) }),
    matches: (device, pool, source) =>
      device['type'] === 'disk' && device['pool'] === pool && device['source'] === source,
  }),
];

async function loadVolume(session: Session, [target = '', given = '']: readonly string[]): Promise<Editable> {
  const { client, name: pool } = await session.object(target, 'storage pool');
  const { type, name, snapshot } = volumeNamed(given);
  const { storagePools } = client;
  if (snapshot !== undefined) {
    const snapshots = storagePools.volumeSnapshots(pool, type, name);
    const { value, etag } = await snapshots.tagged(snapshot);
    const { description, expires_at, config, content_type, created_at } = value;
    return {
      put: { description, expires_at, config },
      shown: { description, expires_at, name: snapshot, config, content_type, created_at },
      save: ({ description, expires_at }) => snapshots.replace(snapshot, { description, expires_at }, etag),
    };
  }
  const volumes = storagePools.volumes(pool, type);
  const { value, etag } = await volumes.tagged(name);
  const { config, description, used_by, location, content_type, project, created_at } = value;
  return {
    put: { config, description },
    shown: { config, description, name: value.name, type, used_by, location, content_type, project, created_at },
    save: put => volumes.replace(name, put, etag),
  };
}

async function volumeInfo(client: Client, pool: string, { type, name }: VolumeName): Promise<string> {
  const { storagePools } = client;
  const volume = await storagePools.volumes(pool, type).get(name);
  const usage = await storagePools.volumeState(pool, type, name).catch((error: unknown) => {
    if (ApiError.is(error, 'unsupported')) return undefined;
    throw error;
  });
  const snapshots = await storagePools.volumeSnapshots(pool, type, name).list();
  const { renderYaml } = await import('../output/yaml.ts');
  return renderYaml({
    Name: volume.name,
    ...(volume.description === '' ? {} : { Description: volume.description }),
    Type: volume.type,
    'Content type': volume.content_type,
    Usage: usage ? formatSize(usage.usage.used) : 'unknown',
    ...(usage && usage.usage.total > 0 ? { Total: formatSize(usage.usage.total) } : {}),
    Created: volume.created_at,
    ...(snapshots.length === 0
      ? {}
      : {
          Snapshots: snapshots.map(({ name, description, created_at, expires_at }) => ({
            Name: name.split('/').pop(),
            'Taken at': created_at,
            ...(expires_at === zeroTime ? {} : { 'Expires at': expires_at }),
            ...(description === '' ? {} : { Description: description }),
          })),
        }),
    ...(volume.used_by.length === 0 ? {} : { 'Used by': usedByText(volume.used_by) }),
  });
}

/** "key=value" of the command line as a clause of the API's filter. */
function clause(filter: string): string {
  const [key = '', ...value] = filter.split('=');
  return value.length === 0 ? `name eq ${JSON.stringify(key)}` : `${key} eq ${JSON.stringify(value.join('='))}`;
}
