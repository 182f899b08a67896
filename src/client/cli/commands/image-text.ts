import type { Image } from '#api/image.ts';
import { formatSize } from '#base/units.ts';
import { shortDate } from '../output/dates.ts';

export interface ImageColumn {
  readonly title: string;
  readonly summary: string;
  value(image: Image): string;
}

/** The columns of `image list` by letter, as LXD names them. */
export const imageColumns: Readonly<Record<string, ImageColumn>> = {
  l: { title: 'ALIAS', summary: 'Shortest image alias (and the number of others)', value: shortAlias },
  L: {
    title: 'ALIASES',
    summary: 'All image aliases',
    value: image => image.aliases.map(alias => alias.name).join('\n'),
  },
  f: { title: 'FINGERPRINT', summary: 'Fingerprint (short)', value: image => image.fingerprint.slice(0, 12) },
  F: { title: 'FINGERPRINT', summary: 'Fingerprint (long)', value: image => image.fingerprint },
  p: { title: 'PUBLIC', summary: 'Whether image is public', value: image => (image.public ? 'yes' : 'no') },
  d: { title: 'DESCRIPTION', summary: 'Description', value: image => image.properties['description'] ?? '' },
  a: { title: 'ARCHITECTURE', summary: 'Architecture', value: image => image.architecture },
  s: { title: 'SIZE', summary: 'Size', value: image => formatSize(image.size) },
  u: { title: 'UPLOAD DATE', summary: 'Upload date', value: image => longDate(image.uploaded_at) },
  t: { title: 'TYPE', summary: 'Type', value: image => image.type.toUpperCase() },
};

function shortAlias(image: Image): string {
  const names = image.aliases.map(alias => alias.name).sort((a, b) => a.length - b.length);
  const [shortest = '', ...others] = names;
  return others.length > 0 ? `${shortest} (${String(others.length)} more)` : shortest;
}

/** True when the property of "key=value", or the fingerprint or an alias, is as the filter says. */
export function imageMatches(image: Image, filter: string): boolean {
  const equals = filter.indexOf('=');
  if (equals > 0) {
    const wanted = filter.slice(equals + 1);
    return (image.properties[filter.slice(0, equals)] ?? '').toLowerCase() === wanted.toLowerCase();
  }
  return image.fingerprint.startsWith(filter) || image.aliases.some(alias => alias.name.includes(filter));
}

/** `image info`, as LXD lays it out. */
export function renderImageInfo(image: Image): string {
  const lines = [
    `Fingerprint: ${image.fingerprint}`,
    `Size: ${formatSize(image.size)}`,
    `Architecture: ${image.architecture}`,
    `Type: ${image.type}`,
    `Public: ${image.public ? 'yes' : 'no'}`,
    'Timestamps:',
    ...stamp('Created', image.created_at),
    ...stamp('Uploaded', image.uploaded_at),
    ...(stamp('Expires', image.expires_at).length ? stamp('Expires', image.expires_at) : ['    Expires: never']),
    ...(stamp('Last used', image.last_used_at).length
      ? stamp('Last used', image.last_used_at)
      : ['    Last used: never']),
    'Properties:',
    ...Object.entries(image.properties)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `    ${key}: ${value}`),
    'Aliases:',
    ...image.aliases.map(alias => `    - ${alias.description ? `${alias.name} (${alias.description})` : alias.name}`),
    `Cached: ${image.cached ? 'yes' : 'no'}`,
    `Auto update: ${image.auto_update ? 'enabled' : 'disabled'}`,
    ...(image.update_source
      ? [
          'Source:',
          `    Server: ${image.update_source.server}`,
          `    Protocol: ${image.update_source.protocol}`,
          `    Alias: ${image.update_source.alias}`,
        ]
      : []),
    ...(image.profiles.length > 0
      ? ['Profiles:', ...image.profiles.map(profile => `    - ${profile}`)]
      : ['Profiles: []']),
  ];
  return `${lines.join('\n')}\n`;
}

function stamp(title: string, time: string): readonly string[] {
  const shown = shortDate(time);
  return shown ? [`    ${title}: ${shown}`] : [];
}

/** "Aug 1, 2026 at 8:20am (UTC)", as LXD shows the upload date. */
export function longDate(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime()) || date.getTime() <= 0) return '';
  const month = date.toLocaleString('en-US', { month: 'short', timeZone: 'UTC' });
  const hours = date.getUTCHours();
  const minutes = String(date.getUTCMinutes()).padStart(2, '0');
  const half = hours < 12 ? 'am' : 'pm';
  return `${month} ${String(date.getUTCDate())}, ${String(date.getUTCFullYear())} at ${String(hours % 12 || 12)}:${minutes}${half} (UTC)`;
}
