import { Cli, Command, Option } from 'clipanion';
import { ApiError } from '#api/error.ts';
import { argumentRange, type CommandSpec, type GlobalOptions, globalOptions, type OptionSpec } from './command.ts';
import { suggestion } from './suggestion.ts';

interface Parsed {
  readonly args: readonly string[];
  readonly options: Record<string, never>;
  readonly globals: Record<string, unknown>;
}

/**
 * Brings arguments into the one form that the parser takes, as other option parsers allow more: `-fjson`, `-f=json`,
 * `--timeout -1`, `--force=true`. Refuses options that the command does not have.
 */
export function normalise(spec: CommandSpec, args: readonly string[]): string[] {
  const byName = optionsByName(spec);
  const result: string[] = [];
  const positionals: string[] = [];
  const queue = [...args];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      positionals.push(...queue);
      break;
    }
    if (word.startsWith('--')) takeLong(spec, byName, word, queue, result);
    else if (word.startsWith('-') && word.length > 1) takeShort(spec, byName, word, queue, result);
    else {
      positionals.push(word);
      if (spec.passThrough && positionals.length === 2) {
        positionals.push(...queue);
        break;
      }
    }
  }
  return [...result, '--', ...positionals];
}

function optionsByName(spec: CommandSpec): Map<string, OptionSpec> {
  const byName = new Map<string, OptionSpec>();
  for (const option of [...Object.values(globalOptions), ...Object.values(spec.options ?? {})]) {
    for (const name of option.names.split(',')) byName.set(name, option);
  }
  return byName;
}

function takeLong(
  spec: CommandSpec,
  byName: Map<string, OptionSpec>,
  word: string,
  queue: string[],
  result: string[],
): void {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word : word.slice(0, equals);
  const given = equals < 0 ? undefined : word.slice(equals + 1);
  const option = byName.get(name);
  if (!option) throw unknownOption(spec, byName, name);
  if (option.kind === 'flag') {
    if (given === undefined || given === 'true') result.push(name);
    else if (given !== 'false')
      throw new ApiError('invalid-argument', `Invalid value "${given}" for "${name}": true or false`);
    return;
  }
  const value = given ?? option.implied ?? queue.shift();
  if (value === undefined) throw new ApiError('invalid-argument', `Missing value for "${name}"`);
  result.push(`${name}=${value}`);
}

function takeShort(
  spec: CommandSpec,
  byName: Map<string, OptionSpec>,
  word: string,
  queue: string[],
  result: string[],
): void {
  for (let at = 1; at < word.length; at += 1) {
    const name = `-${word[at] ?? ''}`;
    const option = byName.get(name);
    if (!option) throw unknownOption(spec, byName, name);
    if (option.kind === 'flag') {
      result.push(name);
      continue;
    }
    const attached = word.slice(at + 1).replace(/^=/, '');
    const value = attached || queue.shift();
    if (value === undefined) throw new ApiError('invalid-argument', `Missing value for "${name}"`);
    result.push(`${name}=${value}`);
    return;
  }
}

function unknownOption(spec: CommandSpec, byName: Map<string, OptionSpec>, name: string): ApiError {
  const near = name.startsWith('--') ? suggestion(name, [...byName.keys()]) : '';
  return new ApiError('invalid-argument', `Unknown flag "${name}"${near}. See "lxd-like ${spec.path} --help"`);
}

/** Lets clipanion read the normalised arguments into the options of one command. */
export function parseWith(spec: CommandSpec, input: readonly string[]): Parsed {
  const path = spec.path.split(' ');
  class Parser extends Command {
    static override paths = [path];
    args = Option.Rest();

    constructor() {
      super();
      const fields = this as unknown as Record<string, unknown>;
      for (const [key, option] of Object.entries(spec.options ?? {})) fields[`option:${key}`] = optionField(option);
      for (const [key, option] of Object.entries(globalOptions)) fields[`global:${key}`] = optionField(option);
    }

    override async execute(): Promise<void> {
      // Only the parsed fields are used.
    }
  }
  const cli = new Cli({ binaryName: 'lxd-like' });
  cli.register(Parser);
  const parsed = cli.process([...path, ...input]) as unknown as Record<string, unknown> & { args: string[] };
  const pick = (prefix: string, from: Readonly<Record<string, OptionSpec>>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(from).map(([key, option]) => [key, valueOf(option, parsed[prefix + key])]));
  return {
    args: parsed.args,
    options: pick('option:', spec.options ?? {}) as Record<string, never>,
    globals: pick('global:', globalOptions),
  };
}

function optionField(option: OptionSpec): unknown {
  if (option.kind === 'flag') return Option.Boolean(option.names, false);
  if (option.kind === 'list') return Option.Array(option.names, []);
  return Option.String(option.names);
}

function valueOf(option: OptionSpec, value: unknown): unknown {
  if (option.kind === 'flag' || option.kind === 'list') return value;
  if (value === undefined) return option.fallback;
  if (option.values && !option.values.includes(value as string)) {
    throw new ApiError(
      'invalid-argument',
      `Invalid value "${value as string}" for "${option.names.split(',').pop() ?? ''}": must be one of ${option.values.join(', ')}`,
    );
  }
  if (option.kind === 'text') return value;
  if (!/^-?\d{1,15}$/.test(value as string)) {
    throw new ApiError(
      'invalid-argument',
      `Invalid value "${value as string}" for "${option.names}": must be a whole number`,
    );
  }
  return Number(value);
}

export function asGlobals(values: Record<string, unknown>): GlobalOptions {
  return values as unknown as GlobalOptions;
}

export function checkArguments(spec: CommandSpec, args: readonly string[]): void {
  const { least, most } = argumentRange(spec.usage ?? '');
  if (args.length >= least && args.length <= most) return;
  throw new ApiError(
    'invalid-argument',
    `Invalid number of arguments: use "${`lxd-like ${spec.path} ${spec.usage ?? ''}`.trim()}"`,
  );
}
