import { formatSize } from '#base/units.ts';
import { command, type CommandSpec, flag, type Format, formatOption, targetOption } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { editingCommands } from '../object-editing.ts';
import { printList } from '../output/table.ts';
import { usedByText } from '../output/used-by.ts';
import { volumeBackupCommands } from './storage-volume-backup.ts';
import { volumeCommands } from './storage-volume.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'storage list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List available storage pools',
    examples: [['storage list', 'Show all pools.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const pools = await client.storagePools.list();
      await printList(session, options.format as Format, pools, () => ({
        header: ['NAME', 'DRIVER', 'SOURCE', 'DESCRIPTION', 'USED BY', 'STATE'],
        rows: pools
          .map(pool => [
            pool.name,
            pool.driver,
            pool.config['source'] ?? '',
            pool.description,
            String(pool.used_by.length),
            pool.status.toUpperCase(),
          ])
          .sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
      }));
    },
  }),
  command({
    path: 'storage create',
    usage: '[<remote>:]<pool> <driver> [key=value...]',
    summary: 'Create storage pools',
    examples: [
      ['storage create fast btrfs size=20GiB', 'A pool in a file.'],
      ['storage create fast btrfs source=/dev/sdb', 'A pool on an empty disk.'],
      ['storage create tank zfs source=tank/lxd', 'A pool in a dataset of a zpool that is there already.'],
      ['storage create plain dir', 'A pool in a plain folder.'],
    ],
    options: { target: targetOption },
    run: async (session, [target = '', driver = '', ...pairs]) => {
      const { client, name } = await session.object(target, 'storage pool');
      await session.finish(
        client.storagePools.create({ name, driver, description: '', config: parsePairs(pairs) }),
        `Creating ${name}`,
      );
      session.note(`Storage pool ${name} created`);
    },
  }),
  command({
    path: 'storage delete',
    aliases: ['rm'],
    usage: '[<remote>:]<pool>',
    summary: 'Delete storage pools',
    examples: [['storage delete fast', 'Delete a pool that nothing uses.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'storage pool');
      await session.finish(client.storagePools.delete(name), `Deleting ${name}`);
      session.note(`Storage pool ${name} deleted`);
    },
  }),
  command({
    path: 'storage info',
    usage: '[<remote>:]<pool>',
    summary: 'Show useful information about storage pools',
    examples: [['storage info default', 'Show how full it is and who uses it.']],
    options: { bytes: flag('--bytes', 'Show the used and free space in bytes'), target: targetOption },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.object(target, 'storage pool');
      const pool = await client.storagePools.get(name);
      const { space } = await client.storagePools.resources(name);
      const size = (bytes: number): string => (options.bytes ? String(bytes) : formatSize(bytes));
      const { renderYaml } = await import('../output/yaml.ts');
      const info = {
        description: pool.description,
        driver: pool.driver,
        name: pool.name,
        'space used': size(space.used),
        'total space': size(space.total),
      };
      session.out(renderYaml({ info, 'used by': usedByText(pool.used_by) }));
    },
  }),
  ...editingCommands({
    path: 'storage',
    noun: 'storage pool',
    usage: '[<remote>:]<pool>',
    words: 1,
    sample: 'default',
    setting: ['rsync.bwlimit', '100'],
    load: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'storage pool');
      const { value, etag } = await client.storagePools.tagged(name);
      const { config, description, driver, used_by, status, locations } = value;
      return {
        put: { config, description },
        shown: { config, description, name, driver, used_by, status, locations },
        save: put => client.storagePools.replace(name, put, etag),
      };
    },
  }),
  ...volumeCommands,
  ...volumeBackupCommands,
];
