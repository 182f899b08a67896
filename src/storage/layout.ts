import { ApiError } from '#api/error.ts';
import { hasControlCharacters } from '#base/names.ts';
import type { Snapshot, Volume, VolumeKind } from './driver.ts';

/** Folders of a pool, named as LXD names them: containers/NAME, containers-snapshots/NAME/SNAPSHOT, images/NAME … */
export const volumeFolders: Readonly<Record<VolumeKind, string>> = {
  container: 'containers',
  image: 'images',
  custom: 'custom',
};

/** Images have no snapshots. */
export const snapshotFolders: Readonly<Partial<Record<VolumeKind, string>>> = {
  container: 'containers-snapshots',
  custom: 'custom-snapshots',
};

export const volumeKinds = Object.keys(volumeFolders) as readonly VolumeKind[];

/**
 * All folders with their modes. A mapped root has to pass `containers`; nobody on the host may reach the set-user-id
 * files of the others (CVE-2025-64507).
 */
export const poolFolders: readonly { readonly name: string; readonly mode: number }[] = [
  { name: 'containers', mode: 0o711 },
  { name: 'containers-snapshots', mode: 0o700 },
  { name: 'images', mode: 0o700 },
  { name: 'custom', mode: 0o700 },
  { name: 'custom-snapshots', mode: 0o700 },
];

/** Mode of a volume's top folder; that of a custom volume is what the guest sees. */
export function topMode(kind: VolumeKind): number {
  return kind === 'custom' ? 0o711 : 0o100;
}

const temporaryPrefix = '.temporary-';
let temporaries = 0;

/** A name for something half-made or half-deleted; the next mountPool removes what bears one. */
export function temporaryName(): string {
  temporaries += 1;
  return `${temporaryPrefix}${String(process.pid)}-${Date.now().toString(36)}-${String(temporaries)}`;
}

export function isTemporary(name: string): boolean {
  return name.startsWith(temporaryPrefix);
}

/** The folder of a kind's snapshots; throws "unsupported" for kinds that have none. */
export function snapshotFolder(kind: VolumeKind): string {
  const folder = snapshotFolders[kind];
  if (folder === undefined) throw new ApiError('unsupported', 'Cannot keep snapshots of an image volume');
  return folder;
}

/** Throws "invalid-argument" unless the name is one path segment that no other door of the pool could mistake. */
export function checkName(name: string): string {
  const bad =
    name === '' ||
    name === '.' ||
    name === '..' ||
    name.includes('/') ||
    hasControlCharacters(name) ||
    Buffer.byteLength(name) > 255 ||
    isTemporary(name);
  if (bad) throw new ApiError('invalid-argument', `Cannot use ${JSON.stringify(name)} as the name of a volume`);
  return name;
}

export function isSnapshot(source: Volume | Snapshot): source is Snapshot {
  return 'volume' in source;
}

export function volumeOf(source: Volume | Snapshot): Volume {
  return isSnapshot(source) ? source.volume : source;
}

/** As in error messages: `container volume "c1"` or `snapshot "c1/snap0"`. */
export function describeSource(source: Volume | Snapshot): string {
  return isSnapshot(source) ? `Snapshot "${source.volume.name}/${source.name}"` : `Storage volume "${source.name}"`;
}
