import type { Session } from './session.ts';

/** An option of a command, in the words of its help. */
export interface OptionSpec {
  /** such as "-f,--format" */
  readonly names: string;
  readonly summary: string;
  readonly kind: 'flag' | 'text' | 'integer' | 'list';
  readonly fallback?: string | number | undefined;
  /** the only values it takes */
  readonly values?: readonly string[];
  /** value when the option is given without one, as in --console */
  readonly implied?: string;
}

type ValueOf<O> = O extends { readonly kind: 'flag' }
  ? boolean
  : O extends { readonly kind: 'list' }
    ? readonly string[]
    : O extends { readonly kind: 'integer'; readonly fallback: number }
      ? number
      : O extends { readonly kind: 'integer' }
        ? number | undefined
        : O extends { readonly fallback: string }
          ? string
          : string | undefined;

export type OptionValues<O extends Readonly<Record<string, OptionSpec>>> = { readonly [K in keyof O]: ValueOf<O[K]> };

export interface CommandSpec<O extends Readonly<Record<string, OptionSpec>> = Readonly<Record<string, OptionSpec>>> {
  /** the words typed */
  readonly path: string;
  /** other last words for it, such as "ls" for "list" */
  readonly aliases?: readonly string[];
  /** positional arguments as help shows them; their number is checked by it */
  readonly usage?: string;
  readonly summary: string;
  readonly details?: string;
  /** command lines without the program's name, each with what it does */
  readonly examples: readonly (readonly [commandLine: string, what: string])[];
  readonly options?: O;
  /** false: everything after the first positional belongs to it unless it is one of our options (exec) */
  readonly passThrough?: boolean;
  /** false: does not appear in help and completion */
  readonly listed?: boolean;
  /** Exit status, 0 when undefined. */
  run(session: Session, args: readonly string[], options: OptionValues<O>): Promise<number | undefined>;
}

/** A command, checked against its own options. */
export function command<const O extends Readonly<Record<string, OptionSpec>>>(
  spec: Omit<CommandSpec<O>, 'run'> & {
    run(session: Session, args: readonly string[], options: OptionValues<O>): Promise<number | undefined | void>;
  },
): CommandSpec {
  return spec as unknown as CommandSpec;
}

export function flag(names: string, summary: string): { readonly kind: 'flag'; names: string; summary: string } {
  return { kind: 'flag', names, summary };
}

export function text(names: string, summary: string): { readonly kind: 'text'; names: string; summary: string };
export function text(
  names: string,
  summary: string,
  fallback: string,
  values?: readonly string[],
): { readonly kind: 'text'; names: string; summary: string; fallback: string };
export function text(names: string, summary: string, fallback?: string, values?: readonly string[]): OptionSpec {
  return { kind: 'text', names, summary, fallback, ...(values ? { values } : {}) };
}

export function integer(names: string, summary: string): { readonly kind: 'integer'; names: string; summary: string };
export function integer(
  names: string,
  summary: string,
  fallback: number,
): { readonly kind: 'integer'; names: string; summary: string; fallback: number };
export function integer(names: string, summary: string, fallback?: number): OptionSpec {
  return { kind: 'integer', names, summary, fallback };
}

export function list(names: string, summary: string): { readonly kind: 'list'; names: string; summary: string } {
  return { kind: 'list', names, summary };
}

export const formats = ['table', 'csv', 'json', 'yaml', 'compact'] as const;
export type Format = (typeof formats)[number];

export const formatOption = text('-f,--format', 'Format (csv|json|table|yaml|compact)', 'table', formats);
export const planOption = flag('--plan', 'Show what would be done, and do nothing');
export const noSnapshotOption = flag('--no-snapshot', 'Take no snapshot before, by which it could be undone');
export const noTrashOption = flag('--no-trash', 'Delete for good, instead of into the trash');
export const targetOption = text('--target', 'Cluster member name (a server of its own has only "none")');

/** Options that every command has. */
export const globalOptions = {
  debug: flag('--debug', 'Show where errors come from'),
  forceLocal: flag('--force-local', 'Force using the local unix socket'),
  project: text('--project', 'Override the source project'),
  quiet: flag('-q,--quiet', "Don't show progress information"),
  verbose: flag('-v,--verbose', 'Show all information messages'),
} as const;

export type GlobalOptions = OptionValues<typeof globalOptions>;

/** How many positional arguments a usage text allows: `<x>` must be there, `[<x>]` may, `...` repeats. */
export function argumentRange(usage: string): { readonly least: number; readonly most: number } {
  const plain = usage.replace(/\[<remote>:\]/g, '').replace(/<[^>]*>/g, name => name.replaceAll(' ', '-'));
  let least = 0;
  let most = 0;
  let depth = 0;
  for (const word of plain.split(/\s+/).filter(word => word !== '' && word !== '[flags]' && word !== '[--]')) {
    const opened = word.startsWith('[');
    if (opened) depth += word.split('[').length - word.split(']').length;
    const optional = (opened && !word.startsWith('[<remote')) || (depth > 0 && opened) || depth > 0;
    if (!opened && depth > 0 && word.includes(']'))
      depth = Math.max(0, depth + word.split('[').length - word.split(']').length);
    if (!optional) least += 1;
    most = word.includes('...') ? Number.POSITIVE_INFINITY : most + 1;
  }
  // A bare remote such as "[<remote>:]" is one optional word.
  const bareRemotes = usage.split(/\s+/).filter(word => word === '[<remote>:]').length;
  return { least, most: most + bareRemotes };
}
