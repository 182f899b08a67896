import { ApiError } from '#api/error.ts';
import { command, type CommandSpec, flag, integer, list, text } from '../command.ts';
import type { Session } from '../session.ts';

const execOptions = {
  cwd: text('--cwd', 'Directory to run the command in (default /root)'),
  noInput: flag('-n,--disable-stdin', 'Disable stdin (reads from /dev/null)'),
  env: list('--env', 'Environment variable to set (e.g. HOME=/home/foo)'),
  interactive: flag('-t,--force-interactive', 'Force pseudo-terminal allocation'),
  notInteractive: flag('-T,--force-noninteractive', 'Disable pseudo-terminal allocation'),
  group: integer('--group', 'Group ID to run the command as'),
  mode: text('--mode', 'Override the terminal mode', 'auto', ['auto', 'interactive', 'non-interactive']),
  user: integer('--user', 'User ID to run the command as'),
} as const;

interface ExecChoices {
  readonly cwd: string | undefined;
  readonly noInput: boolean;
  readonly env: readonly string[];
  readonly interactive: boolean;
  readonly notInteractive: boolean;
  readonly group: number | undefined;
  readonly mode: string;
  readonly user: number | undefined;
}

export const commands: readonly CommandSpec[] = [
  command({
    path: 'exec',
    usage: '[<remote>:]<instance> [flags] [--] <command line>...',
    summary: 'Execute commands in instances',
    details: [
      'The command is started directly: there is no shell, so variables and redirections are not understood.',
      'Start a shell for those. The exit status is that of the command.',
      'A terminal is used when standard input and output are both terminals.',
    ].join('\n'),
    examples: [
      ['exec c1 -- ls -l /', 'List the root folder of "c1".'],
      ['exec c1 -- sh -c "cd /tmp && pwd"', 'Run a shell command line.'],
      ['exec c1 --user 1000 --env A=b -- env', 'Run as user 1000 with an environment variable.'],
    ],
    options: execOptions,
    passThrough: true,
    run: async (session, [target = '', ...program], options) => execute(session, target, program, options),
  }),
  command({
    path: 'shell',
    usage: '[<remote>:]<instance>',
    summary: 'Open a login shell in an instance',
    examples: [
      ['shell c1', 'Log in to "c1" as root.'],
      ['shell c1 --user 1000', 'Log in as user 1000.'],
    ],
    options: execOptions,
    run: async (session, [target = ''], options) =>
      execute(session, target, ['/bin/sh', '-c', loginShell], { ...options, cwd: options.cwd ?? undefined }),
  }),
];

// The user's own shell as /etc/passwd has it; su is not in every image.
const loginShell =
  'cd "${HOME:-/}" 2>/dev/null; ' +
  's=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f7); ' +
  '[ -x "$s" ] || s=$([ -x /bin/bash ] && echo /bin/bash || echo /bin/sh); exec "$s" -l';

async function execute(
  session: Session,
  target: string,
  program: readonly string[],
  options: ExecChoices,
): Promise<number> {
  const { runProgram } = await import('../../exec-session.ts');
  const { enterRawMode, forwardSignals, terminalSize } = await import('../output/raw-terminal.ts');
  const { client, name } = await session.object(target, 'instance');
  const interactive = isInteractive(session, options);
  const { stdin, stdout, stderr } = session.streams;
  let stopForwarding = (): void => undefined;
  let restore = (): void => undefined;
  const request = {
    command: program,
    interactive,
    environment: environmentOf(session, options.env, interactive),
    ...(interactive ? terminalSize(session) : {}),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.group === undefined ? {} : { group: options.group }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  };
  try {
    return await runProgram(
      client,
      name,
      request,
      { stdin: options.noInput ? undefined : stdin, stdout, stderr },
      control => {
        if (interactive) restore = enterRawMode(session);
        stopForwarding = forwardSignals(session, control, interactive && stdout.isTTY);
      },
    );
  } finally {
    stopForwarding();
    restore();
  }
}

function isInteractive(session: Session, options: ExecChoices): boolean {
  if (options.interactive && options.notInteractive) {
    throw new ApiError('invalid-argument', 'Cannot use "-t" and "-T" together');
  }
  if ((options.interactive || options.notInteractive) && options.mode !== 'auto') {
    throw new ApiError('invalid-argument', 'Cannot use "--mode" together with "-t" or "-T"');
  }
  if (options.interactive || options.mode === 'interactive') return true;
  if (options.notInteractive || options.mode === 'non-interactive') return false;
  return session.streams.stdin.isTTY && session.streams.stdout.isTTY && !options.noInput;
}

function environmentOf(session: Session, pairs: readonly string[], interactive: boolean): Record<string, string> {
  const environment: Record<string, string> = {};
  if (interactive && session.env['TERM']) environment['TERM'] = session.env['TERM'];
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new ApiError('invalid-argument', `Invalid environment variable "${pair}": use NAME=value`);
    environment[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return environment;
}
