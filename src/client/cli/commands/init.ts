import { ApiError } from '#api/error.ts';
import { command, type CommandSpec, flag, integer, text } from '../command.ts';
import { createInstance, creationOptions } from './create-instance.ts';

const usage = '[[<remote>:]<image>] [[<remote>:]<name>]';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'init',
    usage,
    summary: 'Create an instance from an image, or set up the server when no image is named',
    details: 'Without an image the server is set up: by questions, by defaults (--auto) or from YAML (--preseed).',
    examples: [
      ['init debian/12 c1', 'Create the instance "c1" without starting it.'],
      ['init debian/12 c1 < config.yaml', 'The same with configuration from a file.'],
      ['init --auto', 'Set up the server with defaults.'],
      ['init --preseed < server.yaml', 'Set up the server from a file.'],
    ],
    options: {
      ...creationOptions,
      auto: flag('--auto', 'Set up the server without questions'),
      dump: flag('--dump', 'Print the setup of the server as YAML, for --preseed'),
      preseed: flag('--preseed', 'Set up the server from YAML on standard input'),
      networkAddress: text('--network-address', 'Address to listen on (default: none)'),
      networkPort: integer('--network-port', 'Port to listen on', 8443),
      storageBackend: text('--storage-backend', 'Driver of the storage pool: btrfs, zfs or dir'),
      storageCreateDevice: text('--storage-create-device', 'Disk for the storage pool'),
      storageCreateLoop: integer('--storage-create-loop', 'Size of the pool file in GiB'),
      storagePool: text('--storage-pool', 'Existing pool or dataset to use, or the name of a new one'),
      trustPassword: text('--trust-password', 'Password that lets clients add themselves'),
    },
    run: async (session, args, options) => {
      if (args.length === 0 && !options.empty) {
        const { setUpServer } = await import('./init-server.ts');
        return setUpServer(session, options);
      }
      if (options.auto || options.dump || options.preseed) {
        throw new ApiError(
          'invalid-argument',
          'Setting up the server takes no image: leave it out, or leave out the flag',
        );
      }
      return createInstance(session, args, options, false);
    },
  }),
];
