import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import { Machine } from '../../moving-in/machine/machine.ts';
import type { MachineFacts } from '../../moving-in/machine/machine-facts.ts';
import { leftOut, restlessServices } from '../../moving-in/machine/left-out.ts';
import { imageKeys, newInstance } from '../../moving-in/new-instance.ts';
import type { Client } from '../../client.ts';
import { command, type CommandSpec, flag, integer, list, planOption, text } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { renderPlan } from '../output/plan.ts';
import { arrivalOptions } from './arrival-options.ts';
import { pushShown } from './shown-push.ts';
import { settleShown } from './shown-settling.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'import-host',
    usage: '<machine> [<remote>:]<instance>',
    summary: 'Make an instance of a running machine, over ssh',
    details: [
      'Fetches the root file system of a machine with rsync, as root, while it runs. Other file systems stay behind unless',
      'named with --mount. Stop its services and run it again with --final to catch up with what changed since. Disks in',
      '/etc/fstab are commented out and eth0 asks for an address by DHCP, unless --keep-config; host keys and machine id stay.',
    ].join('\n'),
    examples: [
      ['import-host root@web.example web --plan', 'What would come along and what would stay behind.'],
      ['import-host root@web.example web', 'Bring it over while it runs.'],
      ['import-host root@web.example web --final', 'Catch up with what changed since.'],
      [
        'import-host admin@10.0.0.5 office:db --sudo --mount /srv',
        'With another file system of it, to another server.',
      ],
    ],
    options: {
      ...arrivalOptions,
      exclude: list('--exclude', 'Path or pattern of rsync that stays behind'),
      final: flag('--final', 'Bring an instance that was imported before up to date'),
      keepConfig: flag('--keep-config', 'Leave /etc/fstab and the network configuration as they are'),
      mount: list('--mount', 'Mount point of another file system that comes along'),
      plan: planOption,
      port: integer('--port', 'Port of ssh'),
      sshConfig: text('--ssh-config', 'Configuration file for ssh'),
      sudo: flag('--sudo', 'Become root on the machine with sudo'),
    },
    async run(session, [host = '', place = ''], options) {
      const { client: target, name } = await session.object(place, 'instance');
      await checkExisting(target, name, options.final);
      const { port, sudo, sshConfig } = options;
      const machine = new Machine({ host, port, sudo, sshConfig });
      const facts = await machine.facts();
      const left = leftOut(facts, options.mount, options.exclude);
      session.out(renderPlan(stepsOf(host, left, facts)));
      if (options.plan) return;
      const request = await newInstance(target, {
        name,
        architecture: facts.architecture,
        config: { ...imageKeys(facts.properties), ...parsePairs(options.config) },
        devices: {},
        ownNics: false,
        profiles: options.profile.length > 0 ? options.profile : ['default'],
        storage: options.storage,
      });
      const bytes = await pushShown(session, `Importing ${host}`, {
        target,
        request,
        refresh: options.final,
        idmap: [],
        send: features =>
          machine.send(
            left.map(({ pattern }) => pattern),
            features,
          ),
      });
      session.line(`Imported ${name}: ${formatSize(bytes)}`);
      if (!options.keepConfig) await settleShown(session, target, name);
    },
  }),
];

async function checkExisting(target: Client, name: string, final: boolean): Promise<void> {
  const there = await target.instances.find(name);
  if (there && !final)
    throw new ApiError('already-exists', `Instance "${name}" already exists: "--final" brings it up to date`);
  if (!there && final)
    throw new ApiError('not-found', `Instance "${name}" not found: import it first without "--final"`);
}

function stepsOf(
  host: string,
  left: ReturnType<typeof leftOut>,
  { services }: MachineFacts,
): readonly { readonly action: string; readonly object: string; readonly detail: string }[] {
  return [
    { action: 'send', object: `${host}:/`, detail: 'the root file system' },
    ...left.map(({ what, reason }) => ({ action: 'skip', object: what, detail: reason })),
    ...restlessServices(services).map(([service, reason]) => ({ action: 'note', object: service, detail: reason })),
  ];
}
