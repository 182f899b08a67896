import type { Image } from '#api/image.ts';
import { ApiError } from '#api/error.ts';

const maxFilter = 4096;

/** Images that a filter such as `properties.os eq Debian and not public eq true` lets through; empty = all. */
export function filterImages(images: readonly Image[], filter: string): readonly Image[] {
  if (filter.trim() === '') return images;
  if (filter.length > maxFilter) throw refused('is too long');
  const words = filter.match(/"[^"]*"|\S+/g) ?? [];
  const clauses: { readonly joined: string; readonly test: (image: Image) => boolean }[] = [];
  for (let index = 0; index < words.length; ) {
    let joined = 'and';
    if (clauses.length > 0) {
      joined = words[index++] ?? '';
      if (joined !== 'and' && joined !== 'or') throw refused(`"${joined}" stands where "and" or "or" is expected`);
    }
    const negate = words[index] === 'not';
    if (negate) index += 1;
    const [field, operator, value] = words.slice(index, index + 3);
    index += 3;
    if (field === undefined || value === undefined || (operator !== 'eq' && operator !== 'ne'))
      throw refused('a clause is FIELD eq VALUE or FIELD ne VALUE');
    const wanted = value.replace(/^"|"$/g, '').toLowerCase();
    const equal = (operator === 'eq') !== negate;
    clauses.push({ joined, test: image => (textOf(image, field).toLowerCase() === wanted) === equal });
  }
  return images.filter(image =>
    clauses.reduce((result, { joined, test }) => (joined === 'or' ? result || test(image) : result && test(image)), true),
  );
}

function textOf(image: Image, field: string): string {
  const dot = field.indexOf('.');
  const [first, rest] = dot < 0 ? [field, undefined] : [field.slice(0, dot), field.slice(dot + 1)];
  if (!Object.hasOwn(image, first)) return '';
  let value: unknown = image[first as keyof Image];
  if (rest !== undefined)
    value = value !== null && typeof value === 'object' && Object.hasOwn(value, rest) ? (value as Record<string, unknown>)[rest] : '';
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

function refused(reason: string): ApiError {
  return new ApiError('invalid-argument', `Invalid "filter": ${reason}`);
}
