import { command, type CommandSpec, flag, text } from '../command.ts';
import { exportBackup, importBackup } from './backup-files.ts';
import { remoteFirst } from './remote-first.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'export',
    usage: '[<remote>:]<instance> [<target>]',
    summary: 'Export instance backups',
    details:
      'The backup is written while it is made: it takes no space on the server. With "-" it goes to standard output.',
    examples: [
      ['export c1', 'Write "c1" with its snapshots to c1.tar.gz.'],
      ['export c1 backup.tar.zst --compression zstd', 'Choose the compression.'],
      ['export c1 c1.tar --instance-only --compression none', 'Leave out the snapshots, and do not compress.'],
    ],
    options: {
      instanceOnly: flag('--instance-only', 'Whether or not to only backup the instance (without snapshots)'),
      optimized: flag(
        '--optimized-storage',
        'Use storage driver optimized format (can only be restored on a similar pool)',
      ),
      compression: text('--compression', 'Compression algorithm to use (none for uncompressed)'),
    },
    run: async (session, [source = '', target = ''], options) => {
      const { client, name } = await session.object(source, 'instance');
      const request = {
        instance_only: options.instanceOnly,
        container_only: options.instanceOnly,
        optimized_storage: options.optimized,
        ...(options.compression === undefined ? {} : { compression_algorithm: options.compression }),
      };
      await exportBackup(session, client, { url: client.instances.path(name), name, target, request });
    },
  }),
  command({
    path: 'import',
    usage: '[<remote>:] <backup file> [<instance name>]',
    summary: 'Import instance backups',
    examples: [
      ['import c1.tar.gz', 'Create the instance that the backup holds.'],
      ['import c1.tar.gz restored -s fast', 'Under another name, in another storage pool.'],
    ],
    options: { storage: text('-s,--storage', 'Storage pool name') },
    run: async (session, args, options) => {
      const { remote, rest } = remoteFirst(args);
      const [file = '', name = ''] = rest;
      const client = await session.client(remote);
      const headers = {
        ...(name === '' ? {} : { 'x-lxd-name': name }),
        ...(options.storage === undefined ? {} : { 'x-lxd-pool': options.storage }),
      };
      await importBackup(session, client, { url: '/1.0/instances', file, headers, title: 'Importing instance' });
    },
  }),
];
