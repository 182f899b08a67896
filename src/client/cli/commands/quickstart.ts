import path from 'node:path';
import { socketPath } from '../../remotes.ts';
import { command, type CommandSpec, flag, text } from '../command.ts';
import { quickstart } from '../quickstart/quickstart.ts';
import { Steps } from '../quickstart/steps.ts';

/** The second half of quickstart; scripts/quickstart.sh has installed what this needs. */
export const commands: readonly CommandSpec[] = [
  command({
    path: 'quickstart',
    summary: 'Set this machine up and launch a first container',
    details:
      'Installs what is missing, starts the daemon, makes a storage pool and a network, builds a Debian image from ' +
      "this machine's own package archive and launches a first container. What is there already is left alone.",
    examples: [
      ['quickstart', 'Do everything, asking before packages are installed.'],
      ['quickstart --yes --disk /dev/sdb', 'Ask nothing and keep containers on a disk of their own.'],
      ['quickstart --storage zfs', 'Keep containers on ZFS, which Debian has in the part "contrib" of its archive.'],
      ['quickstart --storage dir --no-container', 'Only set up, with containers as plain folders.'],
    ],
    options: {
      yes: flag('-y,--yes', 'Do not ask before installing packages'),
      storage: text('--storage', 'Kind of storage pool', 'btrfs', ['btrfs', 'zfs', 'dir']),
      disk: text('--disk', 'Use this empty disk for the pool instead of a file'),
      size: text('--size', 'Size of the file, such as 20GiB'),
      image: text('--image', 'What to build and launch', 'debian/12'),
      name: text('--name', 'Name of the container', 'first'),
      noContainer: flag('--no-container', 'Stop after the network'),
      prepared: flag('--prepared', 'Packages are installed already'),
    },
    run: async (session, _args, options) => {
      const client = await session.client('local');
      const stateDirectory = path.dirname(socketPath(session.env));
      const container = !options.noContainer;
      await quickstart(client, new Steps(session.streams.stdout), { ...options, stateDirectory, container });
      if (container) await showResult(session, client, options);
    },
  }),
];

async function showResult(
  session: Parameters<CommandSpec['run']>[0],
  client: Awaited<ReturnType<typeof session.client>>,
  { name, image }: { readonly name: string; readonly image: string },
): Promise<void> {
  const { commands: listCommands } = await import('./list.ts');
  session.line('');
  await listCommands[0]?.run(session, [name], { columns: 'ns46S', format: 'table' });
  const next = [
    [`lxd-like shell ${name}`, 'a shell in it'],
    [`lxd-like snapshot ${name} fresh`, `keep this state; "restore ${name} fresh" brings it back`],
    [`lxd-like launch ${image} another`, 'a second one, in less than a second'],
  ] as const;
  const width = Math.max(...next.map(([typed]) => typed.length));
  const { value } = await client.server.get();
  session.line(`\n${value.environment?.server_name ?? 'This machine'} runs its first container. Try next:`);
  for (const [typed, what] of next) session.line(`  ${typed.padEnd(width)}  ${what}`);
}
