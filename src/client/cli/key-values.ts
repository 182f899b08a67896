import { readFileSync } from 'node:fs';
import { ApiError } from '#api/error.ts';

/** "key=value" arguments as a map. */
export function parsePairs(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(pairs.map(parsePair));
}

function parsePair(pair: string): readonly [string, string] {
  const equals = pair.indexOf('=');
  if (equals < 1) throw new ApiError('invalid-argument', `Invalid "${pair}": use key=value`);
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}

/** Arguments of `set`: key=value pairs, or one key and one value. "-" as the value reads standard input. */
export function parseSettings(args: readonly string[]): Record<string, string> {
  const [key = '', value] = args;
  if (args.length === 2 && value !== undefined && !key.includes('=')) {
    return { [key]: value === '-' ? readFileSync(0, 'utf8') : value };
  }
  return parsePairs(args);
}

/** "device,key=value" arguments by device. */
export function deviceOverrides(args: readonly string[]): Map<string, Record<string, string>> {
  const overrides = new Map<string, Record<string, string>>();
  for (const argument of args) {
    const comma = argument.indexOf(',');
    if (comma < 1) throw new ApiError('invalid-argument', `Invalid "${argument}": use device,key=value`);
    const [key, value] = parsePair(argument.slice(comma + 1));
    const name = argument.slice(0, comma);
    overrides.set(name, { ...overrides.get(name), [key]: value });
  }
  return overrides;
}
