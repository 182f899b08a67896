import type { Client } from '../client.ts';
import type { CommandSpec } from './command.ts';
import { families, familyOf } from './families.ts';
import { globalOptions } from './command.ts';
import type { Session } from './session.ts';

/** Milliseconds after which names are given up: a shell waits for them. */
const patience = 1000;

/** What may stand in the place of the last word. */
export async function complete(session: Session, words: readonly string[]): Promise<readonly string[]> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1).filter(word => !word.startsWith('-'));
  const startsWell = (candidate: string): boolean => candidate.startsWith(current);
  const [first, ...rest] = before;
  if (first === undefined) {
    return Object.keys(families).filter(name => families[name]?.listed !== false && startsWell(name));
  }
  const family = familyOf(first);
  if (!family) return [];
  const { commands } = await family[1].load();
  const typed = [family[0], ...rest];
  const spec = longest(commands, typed);
  if (!spec) return nextWords(commands, typed).filter(startsWell);
  if (current.startsWith('-')) return optionNames(spec).filter(startsWell);
  const subcommands = nextWords(commands, typed);
  if (subcommands.length > 0 && typed.length < spec.path.split(' ').length) return subcommands.filter(startsWell);
  const position = typed.length - spec.path.split(' ').length;
  try {
    return (await namesFor(session, placeholderAt(spec.usage ?? '', position))).filter(startsWell);
  } catch {
    return []; // no daemon, no names
  }
}

function longest(commands: readonly CommandSpec[], words: readonly string[]): CommandSpec | undefined {
  return commands
    .filter(spec => spec.path.split(' ').every((word, index) => words[index] === word))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

function nextWords(commands: readonly CommandSpec[], words: readonly string[]): readonly string[] {
  const next = commands
    .map(spec => spec.path.split(' '))
    .filter(path => path.length > words.length && words.every((word, index) => path[index] === word))
    .map(path => path[words.length] ?? '');
  return [...new Set(next)].sort();
}

function optionNames(spec: CommandSpec): readonly string[] {
  const all = [...Object.values(spec.options ?? {}), ...Object.values(globalOptions)];
  return ['--help', ...all.flatMap(option => option.names.split(',').filter(name => name.startsWith('--')))].sort();
}

/** The usage's word at a position; its last one repeats. */
export function placeholderAt(usage: string, position: number): string {
  const places = usage
    .replace(/<[^>]*>/g, name => name.replaceAll(' ', '-'))
    .split(/\s+/)
    .map(word => word.replaceAll('[<remote>:]', ''))
    .filter(word => word.includes('<'));
  return places[Math.min(position, places.length - 1)] ?? '';
}

const sources: readonly (readonly [RegExp, (client: Client) => Promise<readonly string[]>])[] = [
  [/<instance>|<source>/, client => client.instances.names()],
  [/<image>/, async client => (await client.images.aliases.names()).concat()],
  [/<profiles?>/, client => client.profiles.names()],
  [/<network>/, client => client.networks.names()],
  [/<pool>/, client => client.storagePools.names()],
  [/<project>/, client => client.projects.names()],
];

async function namesFor(session: Session, placeholder: string): Promise<readonly string[]> {
  const source = sources.find(([pattern]) => pattern.test(placeholder));
  if (!source) return [];
  const client = await session.client();
  return await Promise.race([
    source[1](client),
    new Promise<readonly string[]>(resolve => setTimeout(() => resolve([]), patience).unref()),
  ]);
}
