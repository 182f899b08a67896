import { ApiError } from '#api/error.ts';
import { type CommandSpec, globalOptions, type OptionSpec } from './command.ts';
import { families, familyOf } from './families.ts';
import { suggestion } from './suggestion.ts';

/** Help of the program, of a group of commands or of one command. */
export async function helpFor(words: readonly string[]): Promise<string> {
  const [first, ...rest] = words;
  if (first === undefined) return programHelp();
  const family = familyOf(first);
  if (!family) {
    throw new ApiError('invalid-argument', `Unknown command "${first}"${suggestion(first, Object.keys(families))}`);
  }
  const { commands } = await family[1].load();
  const path = [family[0], ...rest].join(' ');
  const spec = commands.find(candidate => candidate.path === path || aliasPaths(candidate).includes(path));
  if (spec) return commandHelp(spec);
  const inside = commands.filter(candidate => candidate.path.startsWith(`${path} `) && candidate.listed !== false);
  if (inside.length === 0) throw new ApiError('invalid-argument', `Unknown command "${path}"`);
  return groupHelp(path, family[1].summary, inside);
}

export function aliasPaths(spec: CommandSpec): readonly string[] {
  const parent = spec.path.split(' ').slice(0, -1);
  return (spec.aliases ?? []).map(alias => [...parent, alias].join(' '));
}

function programHelp(): string {
  const listed = Object.entries(families).filter(([, family]) => family.listed !== false);
  return [
    section('Description', ['System containers: full Linux systems that start in a moment']),
    section('Usage', [
      'lxd-like <command> [flags]',
      'lxd-like daemon [--debug]      (the daemon itself)',
      'lxd-like quickstart            (from a bare machine to a first container)',
    ]),
    section('Available Commands', columns(listed.map(([name, family]) => [name, family.summary]))),
    flagsSection('Global Flags', Object.values(globalOptions)),
    'Use "lxd-like <command> --help" for more about a command.\n',
  ].join('\n');
}

function groupHelp(path: string, summary: string, commands: readonly CommandSpec[]): string {
  const depth = path.split(' ').length;
  const entries = new Map<string, string>();
  for (const spec of commands) {
    const words = spec.path.split(' ');
    const word = words[depth] ?? '';
    if (words.length === depth + 1) entries.set(word, spec.summary);
    else if (!entries.has(word)) entries.set(word, groupSummaries[words.slice(0, depth + 1).join(' ')] ?? '');
  }
  return [
    section('Description', [groupSummaries[path] ?? summary]),
    section('Usage', [`lxd-like ${path} <command> [flags]`]),
    section('Available Commands', columns([...entries].sort(([a], [b]) => a.localeCompare(b)))),
    flagsSection('Global Flags', Object.values(globalOptions)),
    `Use "lxd-like ${path} <command> --help" for more about a command.\n`,
  ].join('\n');
}

const groupSummaries: Readonly<Record<string, string>> = {
  'config device': 'Manage devices of instances',
  'config trust': 'Manage trusted clients',
  'image alias': 'Manage image aliases',
  'profile device': 'Manage devices of profiles',
  'storage volume': 'Look at storage volumes',
};

export function commandHelp(spec: CommandSpec): string {
  const own = Object.values(spec.options ?? {});
  const aliases = spec.aliases ? [section('Aliases', [[spec.path.split(' ').pop(), ...spec.aliases].join(', ')])] : [];
  const description = [spec.summary, ...(spec.details ? ['', ...spec.details.split('\n')] : [])];
  return [
    section('Description', description),
    section('Usage', [`lxd-like ${spec.path} ${spec.usage ?? ''} [flags]`.replace(/ {2,}/g, ' ')]),
    ...aliases,
    section(
      'Examples',
      spec.examples.flatMap(([line, what], index) => [...(index ? [''] : []), `lxd-like ${line}`, `    ${what}`]),
    ),
    ...(own.length ? [flagsSection('Flags', own)] : []),
    flagsSection('Global Flags', Object.values(globalOptions)),
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string {
  return `${title}:\n${lines.map(line => (line ? `  ${line}` : '')).join('\n')}\n`;
}

function flagsSection(title: string, options: readonly OptionSpec[]): string {
  const rows = options.map((option): [string, string] => {
    const names = option.names.includes(',')
      ? option.names.replace(',', ', ')
      : option.names.startsWith('--')
        ? `    ${option.names}`
        : option.names;
    const implied = option.implied === undefined ? '' : `[="${option.implied}"]`;
    return [`${names}${implied}`, `${option.summary}${fallbackText(option)}`];
  });
  const all = title === 'Global Flags' ? [['-h, --help', 'Print help'] as [string, string], ...rows] : rows;
  return section(title, columns(all));
}

function fallbackText(option: OptionSpec): string {
  if (option.fallback === undefined || option.fallback === '') return '';
  return ` (default ${typeof option.fallback === 'number' ? String(option.fallback) : `"${option.fallback}"`})`;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, what]) => `${name.padEnd(width)}   ${what}`.trimEnd());
}
