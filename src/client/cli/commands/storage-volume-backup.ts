import { command, type CommandSpec, flag, text } from '../command.ts';
import { exportBackup, importBackup } from './backup-files.ts';
import { volumeNamed } from './volume-name.ts';

export const volumeBackupCommands: readonly CommandSpec[] = [
  command({
    path: 'storage volume export',
    usage: '[<remote>:]<pool> <volume> [<path>]',
    summary: 'Export custom storage volume',
    examples: [['storage volume export default data data.tar.gz', 'Write "data" with its snapshots to a file.']],
    options: {
      compression: text('--compression', 'Define a compression algorithm: for backup or none'),
      optimized: flag(
        '--optimized-storage',
        'Use storage driver optimized format (can only be restored on a similar pool)',
      ),
      volumeOnly: flag('--volume-only', 'Export the volume without its snapshots'),
    },
    run: async (session, [target = '', given = '', path = ''], options) => {
      const { client, name: pool } = await session.object(target, 'storage pool');
      const { type, name } = volumeNamed(given);
      const request = {
        volume_only: options.volumeOnly,
        optimized_storage: options.optimized,
        ...(options.compression === undefined ? {} : { compression_algorithm: options.compression }),
      };
      const url = client.storagePools.volumes(pool, type).path(name);
      await exportBackup(session, client, { url, name, target: path, request });
    },
  }),
  command({
    path: 'storage volume import',
    usage: '[<remote>:]<pool> <backup file> [<volume name>]',
    summary: 'Import custom storage volumes',
    examples: [['storage volume import default data.tar.gz restored', 'Create the volume "restored" from a backup.']],
    run: async (session, [target = '', file = '', name = '']) => {
      const { client, name: pool } = await session.object(target, 'storage pool');
      await importBackup(session, client, {
        url: `${client.storagePools.path(pool)}/volumes/custom`,
        file,
        headers: name === '' ? {} : { 'x-lxd-name': name },
        title: 'Importing custom volume',
      });
    },
  }),
];
