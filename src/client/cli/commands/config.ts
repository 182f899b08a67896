import { ApiError } from '#api/error.ts';
import type { ConfigMap } from '#api/common.ts';
import type { Client } from '../../client.ts';
import { command, type CommandSpec, flag, planOption, targetOption } from '../command.ts';
import { deviceCommands } from '../device-commands.ts';
import { parseSettings } from '../key-values.ts';
import { editObject, showYaml } from '../object-editing.ts';
import { printPlan } from '../output/plan.ts';
import type { Session } from '../session.ts';
import { loadInstance, loadInstanceDevices } from './instance-editing.ts';
import { templateCommands } from './config-template.ts';
import { trustCommands } from './trust.ts';

const expandedOption = flag('-e,--expanded', 'Show the expanded configuration');

export const commands: readonly CommandSpec[] = [
  command({
    path: 'config get',
    usage: '[<remote>:][<instance>] [<key>]',
    summary: 'Get values for instance or server configuration keys',
    examples: [
      ['config get c1 limits.memory', 'Print a key of an instance.'],
      ['config get core.https_address', 'Print a key of the server.'],
    ],
    options: { expanded: expandedOption, target: targetOption },
    run: async (session, args, options) => {
      const [target, rest] = splitTarget(args, 1);
      const { client, name } = await session.at(target);
      const [key = ''] = rest;
      if (name === '') session.line((await client.server.get()).value.config?.[key] ?? '');
      else {
        const { value } = await client.instances.tagged(name);
        session.line((options.expanded ? value.expanded_config : value.config)[key] ?? '');
      }
    },
  }),
  command({
    path: 'config set',
    usage: '[<remote>:][<instance>] [<key>=<value>...]',
    summary: 'Set instance or server configuration keys',
    details: 'A single key may also be given as two words: <key> <value>. The value "-" is read from standard input.',
    examples: [
      ['config set c1 limits.cpu=2', 'Set a CPU limit of "2" for the instance.'],
      ['config set core.https_address=[::]:8443', 'Let the server listen on IPv4 and IPv6 port 8443.'],
    ],
    options: { target: targetOption, plan: planOption },
    run: async (session, args, options) => {
      const [target, settings] = splitSettings(args);
      const { client, name } = await session.at(target);
      await change(session, client, name, { ...parseSettings(settings) }, options.plan);
    },
  }),
  command({
    path: 'config unset',
    usage: '[<remote>:][<instance>] [<key>]',
    summary: 'Unset instance or server configuration keys',
    examples: [
      ['config unset c1 limits.cpu', 'Lift the CPU limit.'],
      ['config unset core.https_address', 'Stop listening on the network.'],
    ],
    options: { target: targetOption, plan: planOption },
    run: async (session, args, options) => {
      const [target, [key = '']] = splitTarget(args, 1);
      const { client, name } = await session.at(target);
      await change(session, client, name, { [key]: undefined }, options.plan);
    },
  }),
  command({
    path: 'config show',
    usage: '[[<remote>:][<instance>[/<snapshot>]]]',
    summary: 'Show instance or server configurations',
    examples: [
      ['config show c1 --expanded', 'Show an instance with what comes from its profiles.'],
      ['config show', 'Show the configuration of the server.'],
    ],
    options: { expanded: expandedOption, target: targetOption },
    run: async (session, [target = ''], options) => {
      const { remote, name, rest: snapshot } = session.namedPath(target);
      const client = await session.client(remote);
      if (name === '') return showYaml(session, { config: (await client.server.get()).value.config ?? {} });
      if (snapshot !== undefined) return showYaml(session, await client.instances.snapshots(name).get(snapshot));
      const value = await client.instances.get(name);
      return showYaml(session, {
        architecture: value.architecture,
        config: options.expanded ? value.expanded_config : value.config,
        devices: options.expanded ? value.expanded_devices : value.devices,
        ephemeral: value.ephemeral,
        profiles: value.profiles,
        stateful: value.stateful,
        description: value.description,
      });
    },
  }),
  command({
    path: 'config edit',
    usage: '[[<remote>:][<instance>]]',
    summary: 'Edit instance or server configurations as YAML',
    examples: [
      ['config edit c1', 'Open the configuration of "c1" in $EDITOR.'],
      ['config edit c1 < instance.yaml', 'Replace it from a file.'],
    ],
    options: { target: targetOption },
    run: async (session, [target = '']) => {
      const { client, name } = await session.at(target);
      if (name !== '') {
        const instance = await loadInstance(client, name);
        return editObject(session, { ...instance.put }, put => instance.save(put));
      }
      const { value, etag } = await client.server.get();
      return editObject(session, { config: value.config ?? {} }, async put => {
        await client.server.replaceConfig(put['config'] as ConfigMap, session.streams.stdin.isTTY ? etag : undefined);
        return undefined;
      });
    },
  }),
  ...deviceCommands('config', 'instance', loadInstanceDevices),
  ...templateCommands,
  ...trustCommands,
];

/** Config keys have a dot and instance names have none: so the first word tells whether it names an instance. */
function splitSettings(args: readonly string[]): readonly [string, readonly string[]] {
  const [first = ''] = args;
  if (args.length === 0) throw new ApiError('invalid-argument', 'Name what to set: <key>=<value>');
  const isSetting = first.includes('=') || (args.length === 2 && !args[1]?.includes('=') && first.includes('.'));
  if (!isSetting && args.length === 1)
    throw new ApiError('invalid-argument', `Missing a value: use "${first}=<value>"`);
  return isSetting ? ['', args] : [first, args.slice(1)];
}

function splitTarget(args: readonly string[], rest: number): readonly [string, readonly string[]] {
  if (args.length < rest) throw new ApiError('invalid-argument', 'Name a configuration key');
  return args.length > rest ? [args[0] ?? '', args.slice(1)] : ['', args];
}

async function change(
  session: Session,
  client: Client,
  name: string,
  changes: Readonly<Record<string, string | undefined>>,
  plan: boolean,
): Promise<void> {
  const merge = (config: ConfigMap): ConfigMap =>
    Object.fromEntries(
      Object.entries({ ...config, ...changes }).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
  if (name === '') {
    const { value, etag } = await client.server.get();
    const config = merge(value.config ?? {});
    if (plan) throw new ApiError('unsupported', 'Cannot plan changes of the server: only of instances');
    await client.server.replaceConfig(config, etag);
    return;
  }
  const instance = await loadInstance(client, name);
  const put = { ...instance.put, config: merge(instance.put.config) };
  if (plan) await printPlan(session, client, 'PUT', client.instances.path(name), { body: put });
  else await session.finish(instance.save(put), `Changing ${name}`);
}
