import { ApiError } from '#api/error.ts';

export interface VolumeName {
  readonly type: string;
  readonly name: string;
  readonly snapshot: string | undefined;
}

/** "[type/]volume[/snapshot]"; the type is custom unless it is named. */
export function volumeNamed(given: string): VolumeName {
  const parts = given.split('/');
  const types = ['custom', 'container', 'image', 'virtual-machine'];
  const typed = types.includes(parts[0] ?? '') && parts.length > 1;
  const [name = '', snapshot] = typed ? parts.slice(1) : parts;
  if (name === '') throw new ApiError('invalid-argument', `Missing volume name in "${given}"`);
  return { type: typed ? (parts[0] ?? 'custom') : 'custom', name, snapshot };
}

/** "pool/volume[/snapshot]", as copy and move take it. */
export function volumeInPool(given: string): { readonly pool: string; readonly volume: string } {
  const [pool = '', ...rest] = given.split('/');
  if (pool === '' || rest.length === 0 || rest.length > 2 || rest.includes(''))
    throw new ApiError('invalid-argument', `Invalid volume "${given}": write POOL/VOLUME`);
  return { pool, volume: rest.join('/') };
}
