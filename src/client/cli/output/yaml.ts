import { parse, stringify } from 'yaml';
import { ApiError } from '#api/error.ts';

/** YAML in the style of LXD: lists at the indent of their key, long lines whole. */
export function renderYaml(value: unknown): string {
  return stringify(value, { indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' });
}

/** An object written by the user; numbers and booleans in its config maps become text, as the wire has them. */
export function parseYamlObject(source: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(source, { maxAliasCount: 100 });
  } catch (error) {
    throw new ApiError('invalid-argument', `Invalid YAML: ${(error as Error).message}`, { cause: error });
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new ApiError('invalid-argument', 'Invalid YAML: expected keys and values');
  }
  return stringsIn(value as Record<string, unknown>);
}

function stringsIn(object: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = { ...object };
  for (const key of ['config', 'properties']) {
    if (isObject(object[key])) result[key] = textValues(object[key]);
  }
  if (isObject(object['devices'])) {
    result['devices'] = Object.fromEntries(
      Object.entries(object['devices']).map(([name, device]) => [name, isObject(device) ? textValues(device) : device]),
    );
  }
  return result;
}

function textValues(map: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => [
      key,
      value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
