import { projectSetting } from '../database/images.ts';
import type { Reader } from '../database/database.ts';
import type { Services } from '../services.ts';

export type ImageKey =
  | 'images.auto_update_cached'
  | 'images.auto_update_interval'
  | 'images.compression_algorithm'
  | 'images.default_architecture'
  | 'images.remote_cache_expiry';

/** The value in force for a project: its own, else the server's. */
export async function imageSetting(
  { settings }: Pick<Services, 'settings'>,
  reader: Reader,
  project: string,
  key: ImageKey,
): Promise<string> {
  return (await projectSetting(reader, project, key)) ?? settings.get(key) ?? '';
}
