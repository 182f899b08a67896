import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { loadConfigs, loadDevices, instanceConfig, instanceDevices, volumeConfig } from '../database/config-rows.ts';
import type { Reader } from '../database/database.ts';
import { listProfiles, type ProfileRecord } from '../database/profiles.ts';
import { ownerProject } from '../database/project-features.ts';
import { getProjectRecord, type ProjectRecord } from '../database/projects.ts';
import { expand } from '../profiles/expand-config.ts';

/** An instance with its config in force. */
export interface ProjectInstance {
  readonly name: string;
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
}

export interface ProjectVolume {
  readonly name: string;
  readonly config: ConfigMap;
}

/** A project with everything in it that counts against its limits and restrictions. */
export interface ProjectContent {
  readonly project: ProjectRecord;
  readonly instances: readonly ProjectInstance[];
  /** its own profiles */
  readonly profiles: readonly ProfileRecord[];
  readonly volumes: readonly ProjectVolume[];
  readonly networks: number;
}

/** Reads a project as it stands in this transaction, in a fixed number of queries. */
export async function loadContent(reader: Reader, name: string): Promise<ProjectContent> {
  const project = await getProjectRecord(reader, name);
  const networks = await reader.get<{ count: number }>('SELECT count(*) AS count FROM networks WHERE project_id = ?', [
    project.id,
  ]);
  const owner = await ownerProject(reader, name, 'profiles');
  const profiles = await listProfiles(reader, owner);
  return {
    project,
    instances: await loadInstances(reader, project.id, profiles),
    profiles: owner === name ? profiles : [],
    volumes: await loadVolumes(reader, project.id),
    networks: networks?.count ?? 0,
  };
}

async function loadInstances(
  reader: Reader,
  project: number,
  profiles: readonly ProfileRecord[],
): Promise<readonly ProjectInstance[]> {
  const rows = await reader.all<{ id: number; name: string }>(
    'SELECT id, name FROM instances WHERE project_id = ? ORDER BY name',
    [project],
  );
  if (rows.length === 0) return [];
  const applied = await reader.all<{ instance: number; profile: number }>(
    `SELECT instance_id AS instance, profile_id AS profile FROM instances_profiles
     JOIN instances ON instances.id = instance_id WHERE project_id = ? ORDER BY instance_id, apply_order`,
    [project],
  );
  const layers = new Map<number, ProfileRecord[]>();
  for (const { instance, profile } of applied) {
    const record = profiles.find(({ id }) => id === profile);
    if (record) layers.set(instance, [...(layers.get(instance) ?? []), record]);
  }
  const configs = await loadConfigs(reader, instanceConfig);
  const devices = await loadDevices(reader, instanceDevices);
  return rows.map(({ id, name }) => {
    const local = { config: configs.get(id) ?? {}, devices: devices.get(id) ?? {} };
    return { name, ...expand(layers.get(id) ?? [], local) };
  });
}

async function loadVolumes(reader: Reader, project: number): Promise<readonly ProjectVolume[]> {
  const rows = await reader.all<{ id: number; name: string }>(
    `SELECT id, name FROM storage_volumes WHERE project_id = ? AND type = 2 ORDER BY name`,
    [project],
  );
  if (rows.length === 0) return [];
  const configs = await loadConfigs(reader, volumeConfig);
  return rows.map(({ id, name }) => ({ name, config: configs.get(id) ?? {} }));
}
