import type { ConfigMap } from '#api/common.ts';
import { loadConfigs, volumeConfig } from './config-rows.ts';
import type { Reader } from './database.ts';

export interface VolumeRow {
  readonly type: 'container' | 'custom';
  /** INSTANCE/SNAPSHOT for a snapshot's */
  readonly name: string;
  readonly description: string;
  readonly created_at: string;
  readonly config: ConfigMap;
}

const instanceVolumes = `
SELECT i.name AS name, i.description AS description, i.creation_date AS created_at
  FROM instances i JOIN projects p ON p.id = i.project_id WHERE i.storage_pool = ? AND p.name = ?
UNION ALL SELECT i.name || '/' || s.name, s.description, s.creation_date
  FROM instances_snapshots s JOIN instances i ON i.id = s.instance_id JOIN projects p ON p.id = i.project_id
  WHERE i.storage_pool = ? AND p.name = ?
ORDER BY name`;

const customVolumes = `
SELECT v.id, v.name, v.description, v.creation_date AS created_at
  FROM storage_volumes v JOIN storage_pools s ON s.id = v.storage_pool_id JOIN projects p ON p.id = v.project_id
  WHERE s.name = ? AND p.name = ? AND v.type = 'custom' ORDER BY v.name`;

/** Volumes of a project in a pool that rows tell of: those of instances, their snapshots, and custom ones. */
export async function listVolumeRows(reader: Reader, pool: string, project: string): Promise<readonly VolumeRow[]> {
  type Row = Omit<VolumeRow, 'type' | 'config'>;
  const ofInstances = await reader.all<Row>(instanceVolumes, [pool, project, pool, project]);
  const custom = await reader.all<Row & { readonly id: number }>(customVolumes, [pool, project]);
  const configs = custom.length > 0 ? await loadConfigs(reader, volumeConfig) : new Map<number, ConfigMap>();
  return [
    ...ofInstances.map(row => ({ ...row, type: 'container' as const, config: {} })),
    ...custom.map(({ id, ...row }) => ({ ...row, type: 'custom' as const, config: configs.get(id) ?? {} })),
  ];
}
