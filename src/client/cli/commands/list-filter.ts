import { ApiError } from '#api/error.ts';
import type { InstanceFull } from '#api/instance.ts';

export interface Matcher {
  readonly needsState: boolean;
  matches(instance: InstanceFull): boolean;
}

type Values = readonly string[];

const shorthands: Readonly<Record<string, (instance: InstanceFull, values: Values) => boolean>> = {
  type: (instance, values) => values.includes(instance.type),
  status: (instance, values) => values.includes(instance.status.toLowerCase()),
  architecture: (instance, values) => values.includes(instance.architecture.toLowerCase()),
  location: (instance, values) => values.includes(instance.location.toLowerCase()),
  ipv4: (instance, values) => hasAddress(instance, 'inet', values),
  ipv6: (instance, values) => hasAddress(instance, 'inet6', values),
};

/** What one filter of `list` selects. */
export function matcherFor(filter: string): Matcher {
  const equals = filter.indexOf('=');
  if (equals < 0) return nameMatcher(filter);
  const key = filter.slice(0, equals);
  const value = filter.slice(equals + 1);
  const shorthand = Object.hasOwn(shorthands, key) ? shorthands[key] : undefined;
  if (shorthand) {
    const values = value.toLowerCase().split(',');
    return { needsState: key.startsWith('ipv'), matches: instance => shorthand(instance, values) };
  }
  const pattern = anchored(value);
  return {
    needsState: false,
    matches: instance =>
      Object.entries(instance.expanded_config).some(
        ([name, content]) => keyMatches(key, name) && (content === value || (pattern?.test(content) ?? false)),
      ),
  };
}

/** The start of a name, or a regular expression on it. */
function nameMatcher(filter: string): Matcher {
  const pattern = anchored(filter);
  if (!pattern && !/^[\w-]*$/.test(filter)) throw new ApiError('invalid-argument', `Invalid filter "${filter}"`);
  return {
    needsState: false,
    matches: instance => instance.name.startsWith(filter) || (pattern?.test(instance.name) ?? false),
  };
}

function anchored(source: string): RegExp | undefined {
  try {
    return new RegExp(`^(?:${source})$`);
  } catch {
    return undefined;
  }
}

/** True when each part of the typed key begins the same part of the name: u.note for user.note. */
function keyMatches(typed: string, name: string): boolean {
  if (typed === name) return true;
  const typedParts = typed.split('.');
  const parts = name.split('.');
  return (
    typedParts.length === parts.length && typedParts.every((part, index) => parts[index]?.startsWith(part) ?? false)
  );
}

function hasAddress(instance: InstanceFull, family: 'inet' | 'inet6', values: Values): boolean {
  const found = Object.values(instance.state?.network ?? {}).flatMap(network =>
    network.addresses.filter(address => address.family === family).map(address => address.address),
  );
  return values.some(value => found.some(address => inRange(address, value)));
}

/** True when the address is the one given or lies in the CIDR range given. */
function inRange(address: string, range: string): boolean {
  const [base = '', prefix] = range.split('/', 2);
  const a = addressBits(address);
  const b = addressBits(base);
  if (a === undefined || b === undefined || a.length !== b.length) return address === range;
  const length = prefix === undefined ? a.length : Number(prefix);
  return a.slice(0, length) === b.slice(0, length);
}

function addressBits(address: string): string | undefined {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(address)) return bits(address.split('.').map(Number), 8);
  if (!address.includes(':')) return undefined;
  const [head = '', tail] = address.split('::', 2);
  const left = head ? head.split(':') : [];
  const right = tail ? tail.split(':') : [];
  const zeros =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return bits(
    [...left, ...zeros, ...right].map(group => Number.parseInt(group, 16)),
    16,
  );
}

function bits(parts: readonly number[], width: number): string {
  return parts.map(part => part.toString(2).padStart(width, '0')).join('');
}
