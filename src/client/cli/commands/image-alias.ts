import { command, type CommandSpec, type Format, formatOption, text } from '../command.ts';
import { printList } from '../output/table.ts';

export const aliasCommands: readonly CommandSpec[] = [
  command({
    path: 'image alias create',
    usage: '[<remote>:]<alias> <fingerprint>',
    summary: 'Create aliases for existing images',
    examples: [['image alias create stable 1f2e3d4c5b6a', 'Give the image one more name.']],
    options: { description: text('--description', 'Description of the alias', '') },
    run: async (session, [target = '', fingerprint = ''], options) => {
      const { client, name } = await session.object(target, 'alias');
      const image = await client.images.resolve(fingerprint);
      await client.images.aliases.create({ name, target: image, description: options.description });
    },
  }),
  command({
    path: 'image alias list',
    aliases: ['ls'],
    usage: '[<remote>:] [<filter>...]',
    summary: 'List image aliases',
    examples: [['image alias list', 'Show names and what they stand for.']],
    options: { format: formatOption },
    run: async (session, args, options) => {
      const hasRemote = args[0]?.endsWith(':') ?? false;
      const { client } = await session.at(hasRemote ? (args[0] ?? '') : '');
      const filters = hasRemote ? args.slice(1) : args;
      const aliases = (await client.images.aliases.list()).filter(alias =>
        filters.every(filter => alias.name.includes(filter) || alias.target.startsWith(filter)),
      );
      await printList(session, options.format as Format, aliases, () => ({
        header: ['ALIAS', 'FINGERPRINT', 'TYPE', 'DESCRIPTION'],
        rows: aliases
          .map(alias => [alias.name, alias.target.slice(0, 12), alias.type.toUpperCase(), alias.description])
          .sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
      }));
    },
  }),
  command({
    path: 'image alias delete',
    aliases: ['rm'],
    usage: '[<remote>:]<alias>',
    summary: 'Delete image aliases',
    examples: [['image alias delete stable', 'Take the name away; the image stays.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'alias');
      await client.images.aliases.delete(name);
    },
  }),
  command({
    path: 'image alias rename',
    aliases: ['mv'],
    usage: '[<remote>:]<alias> <new-name>',
    summary: 'Rename aliases',
    examples: [['image alias rename stable old-stable', 'Rename an alias.']],
    run: async (session, [target = '', newName = '']) => {
      const { client, name } = await session.object(target, 'alias');
      await client.images.aliases.rename(name, newName);
    },
  }),
];
