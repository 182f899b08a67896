import { command, type CommandSpec, type Format, formatOption } from '../command.ts';
import { showYaml } from '../object-editing.ts';
import { printList } from '../output/table.ts';

/** Whether a project has a kind of object of its own, in the order of LXD's columns. */
const features = ['images', 'profiles', 'storage.volumes', 'networks'];

export const commands: readonly CommandSpec[] = [
  command({
    path: 'project list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List projects',
    examples: [['project list', 'Show the projects of the server.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const projects = await client.projects.list();
      const current = client.transport.project ?? 'default';
      await printList(session, options.format as Format, projects, () => ({
        header: ['NAME', 'IMAGES', 'PROFILES', 'STORAGE VOLUMES', 'NETWORKS', 'DESCRIPTION', 'USED BY'],
        rows: projects.map(project => [
          project.name === current ? `${project.name} (current)` : project.name,
          ...features.map(feature => (project.config[`features.${feature}`] === 'true' ? 'YES' : 'NO')),
          project.description,
          String(project.used_by.length),
        ]),
      }));
    },
  }),
  command({
    path: 'project show',
    usage: '[<remote>:]<project>',
    summary: 'Show project options',
    examples: [['project show default', 'Print it as YAML.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'project');
      const { config, description, used_by } = await client.projects.get(name);
      await showYaml(session, { config, description, name, used_by });
    },
  }),
];
