import { command, type CommandSpec, type Format, formatOption } from '../command.ts';
import { showYaml } from '../object-editing.ts';
import { shortDate } from '../output/dates.ts';
import { printList } from '../output/table.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'operation list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List background operations',
    examples: [['operation list', 'Show what the server is working on.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const operations = await client.operations();
      await printList(session, options.format as Format, operations, () => ({
        header: ['ID', 'TYPE', 'DESCRIPTION', 'STATUS', 'CANCELABLE', 'CREATED'],
        rows: operations.map(operation => [
          operation.id,
          operation.class.toUpperCase(),
          operation.description,
          operation.status.toUpperCase(),
          operation.may_cancel ? 'YES' : 'NO',
          shortDate(operation.created_at),
        ]),
      }));
    },
  }),
  command({
    path: 'operation show',
    usage: '[<remote>:]<operation>',
    summary: 'Show details on a background operation',
    examples: [['operation show 344a79e4-d88a-45bf-9c39-c72c26f6ab8a', 'Print it as YAML.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'operation');
      await showYaml(session, (await client.operation(name)).operation);
    },
  }),
  command({
    path: 'operation delete',
    aliases: ['cancel', 'rm'],
    usage: '[<remote>:]<operation>',
    summary: 'Delete a background operation (will attempt to cancel)',
    examples: [['operation delete 344a79e4-d88a-45bf-9c39-c72c26f6ab8a', 'Cancel it.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'operation');
      await (await client.operation(name)).cancel();
      session.note(`Operation ${name} deleted`);
    },
  }),
];
