import type { Session } from '../session.ts';
import { command, type CommandSpec, formatOption, type Format } from '../command.ts';
import { printList } from '../output/table.ts';

/** Asks the server about its cluster, which refuses when it is in none. */
async function members(session: Session, target: string): Promise<readonly unknown[]> {
  const { client } = await session.at(target);
  return (await client.transport.call<unknown[]>('GET', '/1.0/cluster/members', { query: { recursion: 1 } })).metadata;
}

export const commands: readonly CommandSpec[] = [
  command({
    path: 'cluster list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List all the cluster members',
    details: 'A server that is in no cluster says so.',
    examples: [['cluster list', 'Show the members of the cluster.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const found = await members(session, target);
      await printList(session, options.format as Format, found, () => ({ header: ['NAME'], rows: [] }));
    },
  }),
  command({
    path: 'cluster show',
    summary: "Show the cluster's members as they are kept in the database",
    details: 'A server that is in no cluster has none.',
    examples: [['cluster show', 'Print them as YAML.']],
    run: session => {
      session.line('members: []');
      return Promise.resolve();
    },
  }),
  command({
    path: 'cluster list-database',
    summary: 'Print the addresses of the members that serve the database',
    details: 'A server that is in no cluster has its database to itself.',
    examples: [['cluster list-database', 'Print them as a table.']],
    options: { format: formatOption },
    run: (session, _args, options) =>
      printList(session, options.format as Format, [], () => ({ header: ['ADDRESS'], rows: [] })),
  }),
];
