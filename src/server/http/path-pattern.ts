import { ApiError } from '#api/error.ts';
import { hasControlCharacters } from '#base/names.ts';

interface Segment {
  readonly text: string;
  readonly parameter: boolean;
}

/** A path such as /1.0/instances/:name, matched on the raw, still encoded path: `%2F` never separates segments. */
export class PathPattern {
  readonly #segments: readonly Segment[];
  readonly #slashes: boolean;

  /** `slashes`: parameters may hold "/" (written %2F), for names that are no file names */
  constructor(path: string, slashes = false) {
    this.#segments = path.split('/').map(text => {
      const parameter = text.startsWith(':');
      return { text: parameter ? text.slice(1) : text, parameter };
    });
    this.#slashes = slashes;
  }

  matches(rawPath: string): boolean {
    const given = rawPath.split('/');
    return (
      given.length === this.#segments.length &&
      this.#segments.every(({ text, parameter }, index) => (parameter ? given[index] !== '' : given[index] === text))
    );
  }

  /** Parameters of a path that matches, each decoded once. Throws "invalid-argument" when one cannot be a name. */
  parameters(rawPath: string): Readonly<Record<string, string>> {
    const given = rawPath.split('/');
    const parameters = Object.create(null) as Record<string, string>;
    for (const [index, { text, parameter }] of this.#segments.entries())
      if (parameter) parameters[text] = this.#decode(given[index] ?? '');
    return parameters;
  }

  #decode(raw: string): string {
    let value: string;
    try {
      value = decodeURIComponent(raw);
    } catch {
      throw refused(raw, 'is not valid percent-encoding');
    }
    if (value === '' || value === '.' || value === '..') throw refused(raw, 'is not a name');
    if (hasControlCharacters(value)) throw refused(raw, 'must not hold control characters');
    if (value.includes('/') && !this.#slashes) throw refused(raw, 'must not hold a slash');
    return value;
  }
}

/** Path and query of a request target, as sent. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** Older clients say containers for instances. */
export function modernTarget(target: string): string {
  return target.replace(/^\/1\.0\/containers(?=[/?]|$)/, '/1.0/instances');
}

function refused(raw: string, why: string): ApiError {
  return new ApiError('invalid-argument', `Path segment ${JSON.stringify(raw)} ${why}`);
}
