import { parseDocument } from 'yaml';
import { type ConfigMap, type DevicesMap, zeroTime } from '#api/common.ts';
import { ApiError } from '#api/error.ts';

/**
 * Parses YAML of strangers: every scalar stays text, so that `1.10` or `no` in a config is what was written. Aliases,
 * which multiply, are refused. Throws "invalid-argument" that names the document.
 */
export function parseStrangersYaml(text: string, document: string, maxBytes: number): YamlObject {
  if (Buffer.byteLength(text) > maxBytes)
    throw new ApiError('invalid-argument', `Invalid "${document}": is larger than ${String(maxBytes)} bytes`);
  let value: unknown;
  try {
    // the check for unique keys is quadratic in their number
    const options = { uniqueKeys: false, prettyErrors: false, logLevel: 'silent', schema: 'failsafe' } as const;
    const parsed = parseDocument(text, options);
    const error = parsed.errors[0];
    if (error) throw error;
    value = parsed.toJS({ maxAliasCount: 0 });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const message = `Invalid "${document}": ${reason?.slice(0, 200) ?? ''}`;
    throw new ApiError('invalid-argument', message, { cause: error });
  }
  return YamlObject.of(value, document);
}

/** An object of such a document, read member by member; anything of another type is refused by its path. */
export class YamlObject {
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #path: string;

  private constructor(members: Readonly<Record<string, unknown>>, path: string) {
    this.#members = members;
    this.#path = path;
  }

  static of(value: unknown, path: string): YamlObject {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'must hold members');
    return new YamlObject(value as Record<string, unknown>, path);
  }

  /** Undefined when it is absent or null. */
  object(name: string): YamlObject | undefined {
    const value = this.#get(name);
    return isNothing(value) ? undefined : YamlObject.of(value, this.#at(name));
  }

  /** Undefined when it is absent or null. */
  objects(name: string): readonly YamlObject[] | undefined {
    return this.#list(name)?.map((entry, index) => YamlObject.of(entry, `${this.#at(name)}[${String(index)}]`));
  }

  strings(name: string): readonly string[] | undefined {
    return this.#list(name)?.map((entry, index) => text(entry, `${this.#at(name)}[${String(index)}]`));
  }

  string(name: string, otherwise?: string): string {
    const value = this.#get(name) ?? otherwise;
    if (value === undefined) throw wrong(this.#at(name), 'is missing');
    return text(value, this.#at(name));
  }

  /** False when it is absent. */
  boolean(name: string): boolean {
    const value = this.#get(name);
    if (isNothing(value) || value === 'false') return false;
    if (value === 'true') return true;
    throw wrong(this.#at(name), 'must be true or false');
  }

  /** RFC 3339; zero time when it is absent or null. */
  time(name: string): string {
    const value = this.#get(name);
    if (isNothing(value)) return zeroTime;
    const given = text(value, this.#at(name));
    if (given === zeroTime) return zeroTime;
    if (!/^\d{4}-\d\d-\d\d[Tt ]/.test(given) || given.length > 64 || Number.isNaN(Date.parse(given)))
      throw wrong(this.#at(name), 'must be a time');
    return new Date(given).toISOString();
  }

  config(name: string): ConfigMap {
    const map = this.object(name);
    return map ? map.#texts() : {};
  }

  devices(name: string): DevicesMap {
    const map = this.object(name);
    if (!map) return {};
    const devices = Object.keys(map.#members).map(device => [device, map.config(device)] as const);
    return Object.fromEntries(devices);
  }

  #texts(): ConfigMap {
    return Object.fromEntries(
      Object.entries(this.#members).map(([key, value]) => [key, value === null ? '' : text(value, this.#at(key))]),
    );
  }

  #list(name: string): readonly unknown[] | undefined {
    const value = this.#get(name);
    if (isNothing(value)) return undefined;
    if (!Array.isArray(value)) throw wrong(this.#at(name), 'must be a list');
    return value;
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
  }

  #at(name: string): string {
    return `${this.#path}: ${name}`.replace(/: ([^:]*): /, ': $1.');
  }
}

function text(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  throw wrong(path, 'must be text');
}

/** Null is text in this schema; where members are expected it means that there are none. */
function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '' || value === 'null' || value === '~';
}

function wrong(path: string, reason: string): ApiError {
  return new ApiError('invalid-argument', `Invalid "${path.slice(0, 200)}": ${reason}`);
}
