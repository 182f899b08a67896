import { command, type CommandSpec, text } from '../command.ts';
import { createInstance, creationOptions } from './create-instance.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'launch',
    usage: '[[<remote>:]<image>] [[<remote>:]<name>]',
    summary: 'Create and start instances from images',
    details: [
      'An image is named by its alias or fingerprint. A distribution such as debian/12 that is not among the images yet',
      "is built first, from the distribution's own packages.",
    ].join('\n'),
    examples: [
      ['launch debian/12 web', 'Create and start "web".'],
      ['launch debian/12 web -c limits.memory=1GiB', 'The same with a limit.'],
      ['launch images:alpine/3.20 web', 'From an image of another remote, which the server fetches.'],
      ['launch debian/12 web < config.yaml', 'The same with configuration from a file.'],
      ['launch debian/12 web --plan', 'Show what would be done.'],
    ],
    options: {
      ...creationOptions,
      console: { ...text('--console', 'Immediately attach to the console'), implied: 'console' } as const,
    },
    run: async (session, args, options) => {
      const status = await createInstance(session, args, options, true);
      if (options.console === undefined || options.plan) return status;
      const { attach } = await import('./console.ts');
      return attach(session, args[1] ?? '');
    },
  }),
];
