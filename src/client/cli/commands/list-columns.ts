import { ApiError } from '#api/error.ts';
import type { InstanceFull } from '#api/instance.ts';
import { formatSize } from '#base/units.ts';
import { shortDate } from '../output/dates.ts';

export interface Column {
  readonly title: string;
  /** true when its value comes from the state or the snapshots, which are costly to list */
  readonly fromState: boolean;
  value(instance: InstanceFull): string;
}

interface PredefinedColumn extends Column {
  readonly summary: string;
}

function column(
  title: string,
  summary: string,
  value: (instance: InstanceFull) => string,
  fromState = false,
): PredefinedColumn {
  return { title, summary, fromState, value };
}

/** The columns that have a letter, as LXD names them. */
export const instanceColumns: Readonly<Record<string, PredefinedColumn>> = {
  '4': column('IPV4', 'IPv4 address', instance => addresses(instance, 'inet'), true),
  '6': column('IPV6', 'IPv6 address', instance => addresses(instance, 'inet6'), true),
  a: column('ARCHITECTURE', 'Architecture', instance => instance.architecture),
  b: column('STORAGE POOL', 'Storage pool', instance => rootPool(instance)),
  c: column('CREATED AT', 'Creation date', instance => shortDate(instance.created_at)),
  d: column('DESCRIPTION', 'Description', instance => instance.description),
  D: column('DISK USAGE', 'Disk usage', instance => sizeOrEmpty(instance.state?.disk?.['root']?.usage), true),
  e: column('PROJECT', 'Project name', instance => instance.project),
  f: column('BASE IMAGE', 'Base image fingerprint (short)', instance => baseImage(instance).slice(0, 12)),
  F: column('BASE IMAGE', 'Base image fingerprint (long)', instance => baseImage(instance)),
  l: column('LAST USED AT', 'Last used date', instance => shortDate(instance.last_used_at)),
  L: column('LOCATION', 'Location of the instance', instance => instance.location),
  m: column('MEMORY USAGE', 'Memory usage', instance => sizeOrEmpty(instance.state?.memory.usage), true),
  M: column('MEMORY USAGE%', 'Memory usage (%)', instance => memoryShare(instance), true),
  n: column('NAME', 'Name', instance => instance.name),
  N: column('PROCESSES', 'Number of processes', instance => positiveOrEmpty(instance.state?.processes), true),
  p: column('PID', "PID of the instance's init process", instance => positiveOrEmpty(instance.state?.pid), true),
  P: column('PROFILES', 'Profiles', instance => instance.profiles.join('\n')),
  s: column('STATE', 'State', instance => instance.status.toUpperCase()),
  S: column('SNAPSHOTS', 'Number of snapshots', instance => String(instance.snapshots?.length ?? 0), true),
  t: column('TYPE', 'Type (persistent or ephemeral)', instance =>
    instance.ephemeral ? `${instance.type.toUpperCase()} (EPHEMERAL)` : instance.type.toUpperCase(),
  ),
  u: column('CPU USAGE', 'CPU usage (in seconds)', instance => cpuSeconds(instance), true),
};

/** Columns of "ns4,user.note:NOTE:20": letters, or config and device keys with a title and a width. */
export function parseColumns(text: string): readonly Column[] {
  const columns: Column[] = [];
  for (const part of text.split(',')) {
    if (part === '') throw new ApiError('invalid-argument', `Invalid columns "${text}": there is an empty one`);
    if (part.includes('.') || part.includes(':')) {
      columns.push(keyColumn(part));
      continue;
    }
    for (const letter of part) {
      const known = Object.hasOwn(instanceColumns, letter) ? instanceColumns[letter] : undefined;
      if (!known) throw new ApiError('invalid-argument', `Unknown column "${letter}". See "lxd-like list --help"`);
      columns.push(known);
    }
  }
  return columns;
}

export function needsState(columns: readonly Column[]): boolean {
  return columns.some(column => column.fromState);
}

function keyColumn(part: string): Column {
  const fields = part.split(':');
  const kind = fields[0] === 'config' || fields[0] === 'devices' ? fields.shift() : 'config';
  const [key = '', name, widthText, ...rest] = fields;
  if (key === '' || rest.length > 0) throw new ApiError('invalid-argument', `Invalid column "${part}"`);
  const title = name || key;
  if (widthText !== undefined && !/^(-1|\d{1,4})$/.test(widthText)) {
    throw new ApiError('invalid-argument', `Invalid width "${widthText}" of column "${part}"`);
  }
  const width = widthText === undefined || widthText === '-1' ? Infinity : Number(widthText) || title.length;
  const value = kind === 'devices' ? deviceValue(key) : (instance: InstanceFull) => instance.expanded_config[key] ?? '';
  return { title, fromState: false, value: instance => value(instance).slice(0, width) };
}

function deviceValue(key: string): (instance: InstanceFull) => string {
  const dot = key.indexOf('.');
  if (dot < 0) throw new ApiError('invalid-argument', `Invalid device column "${key}": use <device>.<key>`);
  return instance => instance.expanded_devices[key.slice(0, dot)]?.[key.slice(dot + 1)] ?? '';
}

function addresses(instance: InstanceFull, family: 'inet' | 'inet6'): string {
  if (instance.status === 'Stopped' || !instance.state?.network) return '';
  const found = Object.entries(instance.state.network).flatMap(([device, network]) =>
    network.type === 'loopback'
      ? []
      : network.addresses
          .filter(address => address.family === family && address.scope !== 'link' && address.scope !== 'local')
          .map(address => `${address.address} (${device})`),
  );
  return found.sort().reverse().join('\n');
}

function rootPool(instance: InstanceFull): string {
  const root = Object.values(instance.expanded_devices).find(
    device => device['type'] === 'disk' && device['path'] === '/',
  );
  return root?.['pool'] ?? '';
}

function baseImage(instance: InstanceFull): string {
  return instance.config['volatile.base_image'] ?? '';
}

function sizeOrEmpty(bytes: number | undefined): string {
  return bytes && bytes > 0 ? formatSize(bytes) : '';
}

function positiveOrEmpty(value: number | undefined): string {
  return value !== undefined && value > 0 ? String(value) : '';
}

function memoryShare(instance: InstanceFull): string {
  const memory = instance.state?.memory;
  return memory && memory.usage > 0 && memory.total > 0 ? `${((memory.usage / memory.total) * 100).toFixed(1)}%` : '';
}

function cpuSeconds(instance: InstanceFull): string {
  const usage = instance.state?.cpu.usage ?? 0;
  return usage > 0 ? `${String(Math.floor(usage / 1e9))}s` : '';
}
