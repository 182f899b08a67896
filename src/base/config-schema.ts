import { hasControlCharacters } from './names.ts';
import { parseSize } from './units.ts';

/** One config key: its kind, what it is for, and what it accepts beyond its kind. */
export interface KeyRule {
  readonly type: 'string' | 'boolean' | 'integer' | 'size' | 'enum' | 'text';
  /** one sentence for docs and completion */
  readonly summary: string;
  /** value in force when the key is not set, as written on the wire */
  readonly default?: string;
  /** accepted words of an enum */
  readonly values?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  /** takes effect on a running instance */
  readonly live?: boolean;
  /** kept by the daemon; users may neither set nor change it */
  readonly internal?: boolean;
  /** why the value is refused, or undefined when it is good */
  readonly check?: (value: string) => string | undefined;
}

/** Keys by name; a `*` at the end stands for anything, one in the middle for a word without dots. */
export type KeyTable = Readonly<Record<string, KeyRule>>;

export function defineKeys<const T extends KeyTable>(keys: T): T {
  return keys;
}

/** The rule of a key: its own or that of the longest matching pattern; undefined when the key does not exist. */
export function ruleOf(table: KeyTable, key: string): KeyRule | undefined {
  const exact = Object.hasOwn(table, key) && !key.includes('*') ? table[key] : undefined;
  if (exact) return exact;
  let best: { readonly length: number; readonly rule: KeyRule } | undefined;
  for (const [name, rule] of Object.entries(table)) {
    if (name.includes('*') && matches(name, key) && name.length > (best?.length ?? -1)) {
      best = { length: name.length, rule };
    }
  }
  return best?.rule;
}

function matches(pattern: string, key: string): boolean {
  const [prefix = '', suffix = ''] = pattern.split('*');
  if (!key.startsWith(prefix) || !key.endsWith(suffix) || key.length <= prefix.length + suffix.length) return false;
  return suffix === '' || !key.slice(prefix.length, key.length - suffix.length).includes('.');
}

/**
 * Why a key with this value is refused, or undefined when it is good. The empty value always means "not set".
 * Every value but that of a `text` key is refused when it holds a line break or another control character.
 */
export function valueProblem(table: KeyTable, key: string, value: string): string | undefined {
  if (hasControlCharacters(key) || key.length > 255) return 'is not a valid key';
  const rule = ruleOf(table, key);
  if (!rule) return 'is not a known key';
  if (value === '') return undefined;
  if (rule.type === 'text') {
    if (value.includes('\0')) return 'must not hold NUL';
  } else if (hasControlCharacters(value)) {
    return 'must not hold line breaks or control characters';
  }
  return kindProblem(rule, value) ?? rule.check?.(value);
}

function kindProblem(rule: KeyRule, value: string): string | undefined {
  switch (rule.type) {
    case 'boolean':
      return parseBoolean(value) === undefined ? 'must be true or false' : undefined;
    case 'integer':
      return rangeProblem(rule, /^-?\d{1,15}$/.test(value) ? Number(value) : undefined, 'must be a whole number');
    case 'size':
      return rangeProblem(rule, parseSize(value), 'must be a size such as 512MiB or 10GB');
    case 'enum':
      return rule.values?.includes(value) ? undefined : `must be one of ${rule.values?.join(', ') ?? ''}`;
    default:
      return undefined;
  }
}

function rangeProblem(rule: KeyRule, value: number | undefined, otherwise: string): string | undefined {
  if (value === undefined) return otherwise;
  if (rule.min !== undefined && value < rule.min) return `must be at least ${String(rule.min)}`;
  if (rule.max !== undefined && value > rule.max) return `must be at most ${String(rule.max)}`;
  return undefined;
}

/** LXD's words for booleans; undefined for anything else. */
export function parseBoolean(value: string): boolean | undefined {
  const word = value.toLowerCase();
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  if (['false', '0', 'no', 'off'].includes(word)) return false;
  return undefined;
}

/** The value in force: as set, else the default of its rule, else undefined. */
export function effective(table: KeyTable, config: Readonly<Record<string, string>>, key: string): string | undefined {
  const set = Object.hasOwn(config, key) ? config[key] : undefined;
  return set === undefined || set === '' ? ruleOf(table, key)?.default : set;
}

export function effectiveBoolean(table: KeyTable, config: Readonly<Record<string, string>>, key: string): boolean {
  return parseBoolean(effective(table, config, key) ?? 'false') ?? false;
}

/** Keys whose values differ between two configs. */
export function changedKeys(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter(key => (before[key] ?? '') !== (after[key] ?? '')).sort();
}
