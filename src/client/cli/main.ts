import { ApiError } from '#api/error.ts';
import { type CommandSpec, globalOptions } from './command.ts';
import { families, familyOf } from './families.ts';
import { asGlobals, checkArguments, normalise, parseWith } from './parse.ts';
import { Session } from './session.ts';
import { suggestion } from './suggestion.ts';
import { printable } from './output/terminal.ts';

/** Runs one command line (without the program's name); gives the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await runCommandLine(argv);
  } catch (error) {
    report(error, argv.includes('--debug'));
    return 1;
  }
}

async function runCommandLine(given: readonly string[]): Promise<number> {
  const argv = await expandAliases(given);
  const { words, rest } = leadingWords(argv);
  const [first = '', ...more] = words;
  if (first === '' && rest.includes('--version')) return await runCommandLine(['version']);
  if (first === '' || first === 'help') return await showHelp(more);
  const found = familyOf(first);
  if (!found) {
    throw new ApiError(
      'invalid-argument',
      `Unknown command "${first}"${suggestion(first, Object.keys(families))}. See "lxd-like help"`,
    );
  }
  const commands = (await found[1].load()).commands;
  const typed = [found[0], ...more];
  const spec = commandOf(commands, typed);
  if (wantsHelp(rest, spec) || (!spec && more.length === 0)) return await showHelp(spec ? spec.path.split(' ') : typed);
  if (!spec) throw unknownSubcommand(commands, typed);
  const depth = spec.path.split(' ').length;
  const input = normalise(spec, [...typed.slice(depth), ...rest]);
  const { args, options, globals } = parseWith(spec, input);
  checkArguments(spec, args);
  const streams = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr };
  const session = new Session(streams, process.env, asGlobals(globals));
  return (await spec.run(session, args, options)) ?? 0;
}

/** The words up to the first option, and the rest; options that stand before the first word move behind it. */
function leadingWords(argv: readonly string[]): {
  readonly words: readonly string[];
  readonly rest: readonly string[];
} {
  const before: string[] = [];
  let at = 0;
  while (at < argv.length && argv[at]?.startsWith('-')) {
    const option = argv[at] ?? '';
    before.push(option);
    at += 1;
    if (option === globalOptions.project.names && at < argv.length) before.push(argv[at++] ?? '');
  }
  let end = at;
  while (end < argv.length && !argv[end]?.startsWith('-')) end += 1;
  return { words: argv.slice(at, end), rest: [...before, ...argv.slice(end)] };
}

/** The command with the longest path that the words begin with, by its name or an alias of its last word. */
function commandOf(commands: readonly CommandSpec[], words: readonly string[]): CommandSpec | undefined {
  let best: CommandSpec | undefined;
  for (const spec of commands) {
    const path = spec.path.split(' ');
    const last = path.length - 1;
    const matches = path.every(
      (word, index) =>
        words[index] === word || (index === last && index > 0 && spec.aliases?.includes(words[index] ?? '')),
    );
    if (matches && path.length > (best?.path.split(' ').length ?? 0)) best = spec;
  }
  return best;
}

function wantsHelp(rest: readonly string[], spec: CommandSpec | undefined): boolean {
  for (const argument of rest) {
    if (argument === '--') return false;
    if (argument === '--help' || argument === '-h') return true;
    // What follows the instance of `exec` belongs to the guest's program.
    if (spec?.passThrough && !argument.startsWith('-')) return false;
  }
  return false;
}

function unknownSubcommand(commands: readonly CommandSpec[], words: readonly string[]): ApiError {
  let depth = 0;
  while (depth < words.length && commands.some(spec => startsWith(spec.path.split(' '), words.slice(0, depth + 1))))
    depth += 1;
  const group = words.slice(0, depth).join(' ');
  const next = [...new Set(commands.flatMap(spec => spec.path.split(' ')[depth] ?? []))];
  const word = words[depth];
  if (word === undefined)
    return new ApiError('invalid-argument', `Missing a command after "${group}". See "lxd-like ${group} --help"`);
  return new ApiError(
    'invalid-argument',
    `Unknown command "${group} ${word}"${suggestion(word, next)}. See "lxd-like ${group} --help"`,
  );
}

function startsWith(path: readonly string[], words: readonly string[]): boolean {
  return words.every((word, index) => path[index] === word);
}

async function showHelp(words: readonly string[]): Promise<number> {
  const { helpFor } = await import('./help.ts');
  process.stdout.write(await helpFor(words));
  return 0;
}

async function expandAliases(argv: readonly string[]): Promise<readonly string[]> {
  const { remotesFile, expandAlias } = await import('../config-file.ts');
  return expandAlias(remotesFile(process.env), argv, word => familyOf(word) !== undefined);
}

function report(error: unknown, debug: boolean): void {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`Error: ${printable(message).replace(/\s*\n\s*/g, ' ')}\n`);
  if (!debug) return;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    process.stderr.write(`${printable(cause.stack ?? cause.message)}\n`);
  }
}
