import { command, type CommandSpec } from '../command.ts';
import { completionScript, type Shell, shells } from '../completion-scripts.ts';
import { complete } from '../completing.ts';
import { ApiError } from '#api/error.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'completion',
    usage: '<bash|zsh|fish>',
    summary: 'Print a shell completion script',
    examples: [
      ['completion bash > /etc/bash_completion.d/lxd-like', 'For bash.'],
      ['completion zsh > "${fpath[1]}/_lxd-like"', 'For zsh.'],
      ['completion fish > ~/.config/fish/completions/lxd-like.fish', 'For fish.'],
    ],
    run: async (session, [shell = '']) => {
      if (!shells.includes(shell as Shell))
        throw new ApiError('invalid-argument', `Unknown shell "${shell}": bash, zsh or fish`);
      session.out(await completionScript(shell as Shell));
    },
  }),
  command({
    path: '__complete',
    usage: '[<word>...]',
    summary: 'Print what may stand in the place of the last word',
    listed: false,
    passThrough: true,
    examples: [['__complete start web', 'Print instances whose names begin with "web".']],
    run: async (session, words) => {
      for (const candidate of await complete(session, words)) session.line(candidate);
    },
  }),
];
