import { ApiError } from '#api/error.ts';
import { command, type CommandSpec, type Format, formatOption } from '../command.ts';
import { editObject, showYaml } from '../object-editing.ts';
import { printList } from '../output/table.ts';

/** What the image of an instance says of itself, and the templates of files in it. */
export const templateCommands: readonly CommandSpec[] = [
  command({
    path: 'config metadata show',
    usage: '[<remote>:]<instance>',
    summary: 'Show instance metadata files',
    examples: [['config metadata show c1', 'Print it as YAML.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.at(target);
      await showYaml(session, (await client.instances.metadata(name).get()).value);
    },
  }),
  command({
    path: 'config metadata edit',
    usage: '[<remote>:]<instance>',
    summary: 'Edit instance metadata files',
    examples: [
      ['config metadata edit c1', 'Open it in $EDITOR.'],
      ['config metadata edit c1 < metadata.yaml', 'Replace it from a file.'],
    ],
    run: async (session, [target = '']) => {
      const { client, name } = await session.at(target);
      const metadata = client.instances.metadata(name);
      const { value, etag } = await metadata.get();
      await editObject(session, { ...value }, async put => {
        await metadata.replace(put, etag);
        return undefined;
      });
    },
  }),
  command({
    path: 'config template list',
    usage: '[<remote>:]<instance>',
    summary: 'List instance file templates',
    examples: [['config template list c1', 'Show the names of its templates.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.at(target);
      const names = await client.instances.metadata(name).templates();
      await printList(session, options.format as Format, names, () => ({
        header: ['FILENAME'],
        rows: names.map(one => [one]),
      }));
    },
  }),
  command({
    path: 'config template show',
    usage: '[<remote>:]<instance> <template>',
    summary: 'Show content of instance file templates',
    examples: [['config template show c1 hostname.tpl', 'Print the template.']],
    run: async (session, [target = '', template = '']) => {
      const { client, name } = await session.at(target);
      session.out(await client.instances.metadata(name).template(template));
    },
  }),
  command({
    path: 'config template create',
    usage: '[<remote>:]<instance> <template>',
    summary: 'Create new instance file templates',
    examples: [
      ['config template create c1 motd.tpl', 'Create an empty template.'],
      ['config template create c1 motd.tpl < motd', 'Create one from a file.'],
    ],
    run: async (session, [target = '', template = '']) => {
      const { client, name } = await session.at(target);
      const content = session.streams.stdin.isTTY ? '' : await session.input();
      await client.instances.metadata(name).saveTemplate(template, content);
    },
  }),
  command({
    path: 'config template edit',
    usage: '[<remote>:]<instance> <template>',
    summary: 'Edit instance file templates',
    examples: [
      ['config template edit c1 hostname.tpl', 'Open the template in $EDITOR.'],
      ['config template edit c1 hostname.tpl < new', 'Replace it from a file.'],
    ],
    run: async (session, [target = '', template = '']) => {
      const { client, name } = await session.at(target);
      if (!session.streams.stdin.isTTY)
        return client.instances.metadata(name).saveTemplate(template, await session.input());
      const { editText } = await import('../output/editor.ts');
      const before = await client.instances.metadata(name).template(template);
      return client.instances.metadata(name).saveTemplate(template, await editText(session.env, before, '.tpl'));
    },
  }),
  command({
    path: 'config template delete',
    usage: '[<remote>:]<instance> <template>',
    summary: 'Delete instance file templates',
    examples: [['config template delete c1 motd.tpl', 'Delete the template.']],
    run: async (session, [target = '', template = '']) => {
      if (template === '') throw new ApiError('invalid-argument', 'The name of a template is required');
      const { client, name } = await session.at(target);
      await client.instances.metadata(name).deleteTemplate(template);
    },
  }),
];
