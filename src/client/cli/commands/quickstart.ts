import path from 'node:path';
import { socketPath } from '../../remotes.ts';
import { command, type CommandSpec, flag, text } from '../command.ts';
import { quickstart } from '../quickstart/quickstart.ts';
import { Steps } from '../quickstart/steps.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'quickstart',
    summary: 'Set this machine up and launch a first container',
    details: 'Installs what is missing, starts the daemon, makes a pool and a network, and builds a first image.',
    examples: [
      ['quickstart', 'Everything with defaults.'],
      ['quickstart --yes --disk /dev/sdb --name web', 'Without questions, on a disk of its own.'],
    ],
    options: {
      disk: text('--disk', 'Empty disk for the pool instead of a file'),
      image: text('--image', 'What to build and launch', 'debian/12'),
      name: text('--name', 'Name of the container', 'first'),
      noContainer: flag('--no-container', 'Stop after the network'),
      prepared: flag('--prepared', 'Packages are installed already'),
      size: text('--size', 'Size of the pool file, such as 20GiB'),
      storage: text('--storage', 'Storage driver', 'btrfs', ['btrfs', 'dir', 'zfs']),
      yes: flag('-y,--yes', 'Do not ask before installing packages'),
    },
    run: async (session, _args, options) => {
      const client = await session.client('local');
      await quickstart(client, new Steps(session.streams.stdout), {
        stateDirectory: path.dirname(socketPath(session.env)),
        storage: options.storage,
        disk: options.disk,
        size: options.size,
        image: options.image,
        name: options.name,
        container: !options.noContainer,
      });
    },
  }),
];
