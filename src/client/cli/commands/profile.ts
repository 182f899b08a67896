import { ApiError } from '#api/error.ts';
import type { Profile } from '#api/profile.ts';
import { command, type CommandSpec, type Format, formatOption, text } from '../command.ts';
import { deviceCommands } from '../device-commands.ts';
import { editingCommands } from '../object-editing.ts';
import { printList } from '../output/table.ts';
import { changeProfiles } from './instance-editing.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'profile list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List profiles',
    examples: [['profile list', 'Show all profiles of the project.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const profiles = await client.profiles.list();
      await printList(session, options.format as Format, profiles, () => ({
        header: ['NAME', 'DESCRIPTION', 'USED BY'],
        rows: profiles
          .map(profile => [profile.name, profile.description, String(profile.used_by.length)])
          .sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
      }));
    },
  }),
  command({
    path: 'profile create',
    usage: '[<remote>:]<profile>',
    summary: 'Create profiles',
    details: 'Configuration is read as YAML from standard input when that is a file.',
    examples: [
      ['profile create web', 'Create an empty profile.'],
      ['profile create web < web.yaml', 'Create it with what the file says.'],
    ],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'profile');
      const given = await session.inputObject();
      await client.profiles.create({ config: {}, devices: {}, description: '', ...given, name });
      session.note(`Profile ${name} created`);
    },
  }),
  command({
    path: 'profile delete',
    aliases: ['rm'],
    usage: '[<remote>:]<profile>',
    summary: 'Delete profiles',
    examples: [['profile delete web', 'Delete a profile that no instance uses.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'profile');
      await client.profiles.delete(name);
      session.note(`Profile ${name} deleted`);
    },
  }),
  command({
    path: 'profile rename',
    usage: '[<remote>:]<profile> <new-name>',
    summary: 'Rename profiles',
    examples: [['profile rename web frontend', 'Instances that use it keep it.']],
    run: async (session, [target = '', newName = '']) => {
      const { client, name } = await session.object(target, 'profile');
      await client.profiles.rename(name, newName);
      session.note(`Profile ${name} renamed to ${newName}`);
    },
  }),
  command({
    path: 'profile copy',
    aliases: ['cp'],
    usage: '[<remote>:]<profile> [<remote>:]<profile>',
    summary: 'Copy profiles',
    examples: [['profile copy default web', 'Begin a new profile with the content of another.']],
    options: { targetProject: text('--target-project', 'Copy to a project different from the source') },
    run: async (session, [from = '', to = ''], options) => {
      const source = await session.object(from, 'profile');
      const target = await session.object(to, 'profile');
      const { config, devices, description } = await source.client.profiles.get(source.name);
      const query = options.targetProject === undefined ? {} : { project: options.targetProject };
      await target.client.profiles.create({ name: target.name, config, devices, description }, query);
    },
  }),
  command({
    path: 'profile add',
    usage: '[<remote>:]<instance> <profile>',
    summary: 'Add profiles to instances',
    examples: [['profile add c1 web', 'Give "c1" what the profile says, beside its other profiles.']],
    run: async (session, [target = '', profile = '']) => {
      const name = await changeProfiles(session, target, profiles => {
        if (profiles.includes(profile))
          throw new ApiError('already-exists', `Instance "${target}" has profile "${profile}" already`);
        return [...profiles, profile];
      });
      session.note(`Profile ${profile} added to ${name}`);
    },
  }),
  command({
    path: 'profile remove',
    usage: '[<remote>:]<instance> <profile>',
    summary: 'Remove profiles from instances',
    examples: [['profile remove c1 web', 'Take the profile away from "c1".']],
    run: async (session, [target = '', profile = '']) => {
      const name = await changeProfiles(session, target, profiles => {
        if (!profiles.includes(profile))
          throw new ApiError('not-found', `Profile "${profile}" of instance "${target}" not found`);
        return profiles.filter(candidate => candidate !== profile);
      });
      session.note(`Profile ${profile} removed from ${name}`);
    },
  }),
  command({
    path: 'profile assign',
    aliases: ['apply'],
    usage: '[<remote>:]<instance> <profiles>',
    summary: 'Assign sets of profiles to instances',
    examples: [
      ['profile assign c1 default,web', 'Give "c1" these two, in this order.'],
      ["profile assign c1 ''", 'Take all profiles away.'],
    ],
    run: async (session, [target = '', given = '']) => {
      const name = await changeProfiles(session, target, () => given.split(',').filter(profile => profile !== ''));
      session.note(`Profiles ${given || '(none)'} applied to ${name}`);
    },
  }),
  ...editingCommands({
    path: 'profile',
    noun: 'profile',
    usage: '[<remote>:]<profile>',
    words: 1,
    sample: 'default',
    setting: ['limits.memory', '2GiB'],
    load: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'profile');
      const { value, etag } = await client.profiles.tagged(name);
      const { config, description, devices } = value;
      return {
        put: { config, description, devices },
        shown: { config, description, devices, name: value.name, used_by: value.used_by },
        save: put => client.profiles.replace(name, put, etag),
      };
    },
  }),
  ...deviceCommands('profile', 'profile', async (session, target) => {
    const { client, name } = await session.object(target, 'profile');
    const { value, etag } = await client.profiles.tagged(name);
    return {
      devices: value.devices,
      inherited: {},
      save: devices => client.profiles.replace(name, { ...writable(value), devices }, etag),
    };
  }),
];

function writable({ config, description, devices }: Profile): Pick<Profile, 'config' | 'description' | 'devices'> {
  return { config, description, devices };
}
