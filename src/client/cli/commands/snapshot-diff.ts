import type { SnapshotChange } from '#api/snapshot-diff.ts';
import { ApiError } from '#api/error.ts';
import { command, type CommandSpec, type Format, formatOption } from '../command.ts';
import { printList } from '../output/table.ts';

export const diffCommands: readonly CommandSpec[] = [
  command({
    path: 'snapshot diff',
    usage: '[<remote>:]<instance> [<snapshot> [<snapshot>]] [<path>]',
    summary: 'Show which files of an instance differ from a snapshot',
    details:
      'From the first snapshot to the second, or to now; from the newest snapshot when none is named. A path begins with a slash and limits the list to what is there.',
    examples: [
      ['snapshot diff c1', 'What has changed since the newest snapshot.'],
      ['snapshot diff c1 monday friday /etc', 'What changed in /etc between two snapshots.'],
    ],
    options: { format: formatOption },
    run: async (session, [target = '', ...rest], options) => {
      const { client, name } = await session.object(target, 'instance');
      const path = rest.find(word => word.startsWith('/'));
      const named = rest.filter(word => !word.startsWith('/'));
      const from = named[0] ?? (await client.instances.snapshots(name).list()).at(-1)?.name;
      if (from === undefined) throw new ApiError('not-found', `Instance "${name}" has no snapshots`);
      const url = `${client.instances.snapshots(name).path(from)}/diff`;
      const { metadata } = await client.transport.call<readonly SnapshotChange[]>('GET', url, {
        query: { to: named[1], path },
      });
      await printList(session, options.format as Format, metadata, () => ({
        header: ['CHANGE', 'PATH'],
        rows: metadata.map(({ kind, path, from }) => [kind, from === undefined ? path : `${from} -> ${path}`]),
      }));
    },
  }),
];
