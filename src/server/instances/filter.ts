import { ApiError } from '#api/error.ts';

interface Clause {
  readonly field: readonly string[];
  readonly value: string;
  readonly negated: boolean;
}

type Filter = readonly (readonly Clause[])[];

/**
 * Reads a filter such as `status eq Running and not config.image.os eq Debian`: clauses of field, "eq" or "ne" and
 * value, joined by "and" (which binds tighter) and "or"; values may be in double quotes. Throws "invalid-argument".
 */
export function parseFilter(text: string): (object: object) => boolean {
  const words = wordsOf(text);
  if (words.length === 0) return () => true;
  const alternatives: Clause[][] = [[]];
  let index = 0;
  for (;;) {
    let negated = false;
    while (words[index]?.toLowerCase() === 'not') {
      negated = !negated;
      index += 1;
    }
    const [field, operator, value] = words.slice(index, index + 3);
    if (field === undefined || value === undefined || (operator !== 'eq' && operator !== 'ne'))
      throw new ApiError('invalid-argument', 'Invalid "filter": it must read FIELD eq VALUE, joined by "and" and "or"');
    alternatives.at(-1)?.push({ field: field.split('.'), value, negated: negated !== (operator === 'ne') });
    index += 3;
    const join = words[index];
    index += 1;
    if (join === undefined) return object => matches(alternatives, object);
    if (join.toLowerCase() === 'or') alternatives.push([]);
    else if (join.toLowerCase() !== 'and')
      throw new ApiError('invalid-argument', `Invalid "filter": "${join}" is neither "and" nor "or"`);
  }
}

function wordsOf(text: string): readonly string[] {
  if (text.length > 4096) throw new ApiError('invalid-argument', 'Invalid "filter": is too long');
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(match => match[1] ?? match[2] ?? '');
}

function matches(filter: Filter, object: object): boolean {
  return filter.some(clauses =>
    clauses.every(({ field, value, negated }) => {
      const found = valueAt(object, field);
      return (found.toLowerCase() === value.toLowerCase()) !== negated;
    }),
  );
}

/** The value at a dotted path; keys of config hold dots themselves, so the rest of the path is tried as one key. */
function valueAt(object: unknown, path: readonly string[]): string {
  if (path.length === 0) return isScalar(object) ? String(object) : '';
  if (object === null || typeof object !== 'object') return '';
  const whole = path.join('.');
  const members = object as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(members, whole)) return valueAt(members[whole], []);
  const [first = '', ...rest] = path;
  return Object.hasOwn(members, first) ? valueAt(members[first], rest) : '';
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
