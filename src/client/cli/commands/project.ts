import { ApiError } from '#api/error.ts';
import type { ProjectResource } from '#api/project.ts';
import { formatSize } from '#base/units.ts';
import { localRemote, readConfig, remotesFile, writeConfig } from '../../config-file.ts';
import { command, type CommandSpec, type Format, formatOption, list } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { editingCommands } from '../object-editing.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';

/** Whether a project has a kind of object of its own, in the order of LXD's columns. */
const features = ['images', 'profiles', 'storage.volumes', 'networks'];

const usage = '[<remote>:]<project>';

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
          ...features.map(feature => (isOn(project.config[`features.${feature}`]) ? 'YES' : 'NO')),
          project.description,
          String(project.used_by.length),
        ]),
      }));
    },
  }),
  command({
    path: 'project create',
    usage,
    summary: 'Create projects',
    details: 'Configuration is read as YAML from standard input when that is a file.',
    examples: [
      ['project create web', 'With images, profiles and volumes of its own.'],
      ['project create web -c features.profiles=false', 'With the profiles of project "default".'],
      ['project create web -c restricted=true -c limits.memory=4GiB', 'For people who may use no more than that.'],
    ],
    options: { config: list('-c,--config', 'Config key/value to apply to the new project') },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.object(target, 'project');
      const { config, ...given } = await session.inputObject();
      const merged = { ...(config as Record<string, string> | undefined), ...parsePairs(options.config) };
      await client.projects.create({ ...given, name, config: merged });
      session.note(`Project ${name} created`);
    },
  }),
  command({
    path: 'project delete',
    aliases: ['rm'],
    usage,
    summary: 'Delete projects',
    examples: [['project delete web', 'Delete a project that holds nothing any more.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'project');
      await client.projects.delete(name);
      await forgetProject(session, target, name);
      session.note(`Project ${name} deleted`);
    },
  }),
  command({
    path: 'project rename',
    aliases: ['mv'],
    usage: `${usage} <new-name>`,
    summary: 'Rename projects',
    examples: [['project rename web shop', 'Give a project that holds nothing another name.']],
    run: async (session, [target = '', newName = '']) => {
      const { client, name } = await session.object(target, 'project');
      await session.finish(client.projects.rename(name, newName));
      session.note(`Project ${name} renamed to ${newName}`);
    },
  }),
  command({
    path: 'project switch',
    usage,
    summary: 'Switch the current project',
    examples: [['project switch web', 'Commands without "--project" mean this project from now on.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'project');
      await client.projects.get(name);
      await rememberProject(session, target, name);
    },
  }),
  command({
    path: 'project info',
    usage,
    summary: 'Get a summary of resource allocations',
    examples: [['project info web', 'Show limits and what its instances have been given.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.object(target, 'project');
      const { resources } = await client.projectState(name);
      await printList(session, options.format as Format, resources, () => ({
        header: ['RESOURCE', 'LIMIT', 'USAGE'],
        rows: Object.entries(resources).map(([resource, state]) => resourceRow(resource, state)),
      }));
    },
  }),
  ...editingCommands({
    path: 'project',
    noun: 'project',
    usage,
    words: 1,
    sample: 'web',
    setting: ['limits.memory', '8GiB'],
    load: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'project');
      const { value, etag } = await client.projects.tagged(name);
      const { config, description, used_by } = value;
      return {
        put: { config, description },
        shown: { config, description, name: value.name, used_by },
        save: put => client.projects.replace(name, put, etag),
      };
    },
  }),
];

function isOn(value = 'false'): boolean {
  return ['true', '1', 'yes', 'on'].includes(value.toLowerCase());
}

function resourceRow(resource: string, { Limit, Usage }: ProjectResource): readonly string[] {
  const text = (value: number): string =>
    resource === 'memory' || resource === 'disk' ? formatSize(value) : String(value);
  return [resource.toUpperCase(), Limit < 0 ? 'UNLIMITED' : text(Limit), text(Usage)];
}

async function rememberProject(session: Session, target: string, project: string): Promise<void> {
  const file = remotesFile(session.env);
  const config = await readConfig(file);
  const remote = session.global.forceLocal ? localRemote : (session.named(target).remote ?? config['default-remote']);
  const known = config.remotes[remote];
  if (!known) throw new ApiError('not-found', `Remote "${remote}" not found. See "lxd-like remote list"`);
  writeConfig(file, { ...config, remotes: { ...config.remotes, [remote]: { ...known, project } } });
}

/** A remote must not go on pointing at a project that is gone. */
async function forgetProject(session: Session, target: string, project: string): Promise<void> {
  const config = await readConfig(remotesFile(session.env));
  const remote = session.named(target).remote ?? config['default-remote'];
  if (config.remotes[remote]?.project === project) await rememberProject(session, target, 'default');
}
