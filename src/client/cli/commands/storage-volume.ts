import { ApiError } from '#api/error.ts';
import type { StorageVolume } from '#api/storage.ts';
import { command, type CommandSpec, flag, type Format, formatOption, text } from '../command.ts';
import { showYaml } from '../object-editing.ts';
import { printList } from '../output/table.ts';

const volumeColumns: Readonly<Record<string, readonly [string, (volume: StorageVolume) => string]>> = {
  c: ['CONTENT-TYPE', volume => volume.content_type],
  d: ['DESCRIPTION', volume => volume.description],
  e: ['PROJECT', volume => volume.project],
  L: ['LOCATION', volume => volume.location],
  n: ['NAME', volume => volume.name],
  t: ['TYPE', volume => (volume.name.includes('/') ? `${volume.type} (snapshot)` : volume.type)],
  u: ['USED BY', volume => String(volume.used_by.length)],
};

export const volumeCommands: readonly CommandSpec[] = [
  command({
    path: 'storage volume list',
    aliases: ['ls'],
    usage: '[<remote>:]<pool>',
    summary: 'List storage volumes',
    details: `Columns (-c):\n${Object.entries(volumeColumns)
      .map(([letter, [title]]) => `  ${letter} - ${title}`)
      .join('\n')}`,
    examples: [['storage volume list default', 'Show the volumes of instances and images.']],
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
    path: 'storage volume show',
    usage: '[<remote>:]<pool> [<type>/]<volume>',
    summary: 'Show storage volumes',
    examples: [['storage volume show default container/c1', 'Show the root file system of "c1".']],
    run: async (session, [target = '', given = '']) => {
      const { client, name: pool } = await session.object(target, 'storage pool');
      const { type, name: volume } = volumeNamed(given);
      const { config, description, name, used_by, location, content_type, project, created_at } =
        await client.storagePools.volumes(pool, type).get(volume);
      const shown = { config, description, name, type, used_by, location, content_type, project, created_at };
      await showYaml(session, shown);
    },
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
