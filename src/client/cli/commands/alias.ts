import { ApiError } from '#api/error.ts';
import { type ClientConfig, readConfig, remotesFile, writeConfig } from '../../config-file.ts';
import { command, type CommandSpec, type Format, formatOption } from '../command.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'alias add',
    usage: '<alias> <target>',
    summary: 'Add new aliases',
    examples: [['alias add ll "list -c ns46"', 'Make "lxd-like ll" mean "lxd-like list -c ns46".']],
    run: (session, [name = '', target = '']) =>
      update(session, aliases => {
        if (aliases[name] !== undefined) throw new ApiError('already-exists', `Alias "${name}" already exists`);
        return { ...aliases, [name]: target };
      }),
  }),
  command({
    path: 'alias list',
    aliases: ['ls'],
    summary: 'List aliases',
    examples: [['alias list', 'Show your own command words.']],
    options: { format: formatOption },
    run: async (session, _args, options) => {
      const { aliases } = await readConfig(remotesFile(session.env));
      await printList(session, options.format as Format, aliases, () => ({
        header: ['ALIAS', 'TARGET'],
        rows: Object.entries(aliases).map(([name, target]) => [name, target]),
      }));
    },
  }),
  command({
    path: 'alias remove',
    aliases: ['rm'],
    usage: '<alias>',
    summary: 'Remove aliases',
    examples: [['alias remove ll', 'Forget "ll".']],
    run: (session, [name = '']) =>
      update(session, aliases => {
        const { [name]: gone, ...left } = aliases;
        if (gone === undefined) throw new ApiError('not-found', `Alias "${name}" not found. See "lxd-like alias list"`);
        return left;
      }),
  }),
  command({
    path: 'alias rename',
    aliases: ['mv'],
    usage: '<old alias> <new alias>',
    summary: 'Rename aliases',
    examples: [['alias rename ll l', 'Use "l" instead of "ll".']],
    run: (session, [from = '', to = '']) =>
      update(session, aliases => {
        const { [from]: target, ...left } = aliases;
        if (target === undefined)
          throw new ApiError('not-found', `Alias "${from}" not found. See "lxd-like alias list"`);
        if (left[to] !== undefined) throw new ApiError('already-exists', `Alias "${to}" already exists`);
        return { ...left, [to]: target };
      }),
  }),
];

async function update(
  session: Session,
  change: (aliases: ClientConfig['aliases']) => ClientConfig['aliases'],
): Promise<void> {
  const file = remotesFile(session.env);
  const config = await readConfig(file);
  writeConfig(file, { ...config, aliases: change(config.aliases) });
}
