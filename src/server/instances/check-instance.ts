import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { hasControlCharacters } from '#base/names.ts';
import { loadConfigs, networkConfig } from '#server/database/config-rows.ts';
import type { Reader } from '#server/database/database.ts';
import { ownerProject } from '#server/database/project-features.ts';
import { findProfile, type ProfileRecord } from '#server/database/profiles.ts';
import { volumeProject } from '#server/database/volume-users.ts';
import type { DeviceFacts } from '../devices/device.ts';
import { checkDevices, checkExpandedDevices } from '../devices/devices.ts';
import { checkConfig } from './config-keys.ts';
import { checkProject } from '../projects/check-project.ts';
import { expand, type Expanded, rootDevice } from '../profiles/expand-config.ts';
import { nvidiaProblem } from './nvidia.ts';
import { syscallProblem } from './syscall-keys.ts';

interface Local {
  readonly name: string;
  readonly project: string;
  readonly description: string;
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
  readonly profiles: readonly string[];
}

/** An instance's config in force. */
export interface CheckedInstance extends Expanded {
  /** pool of the root disk */
  readonly pool: string;
  /** most bytes of the root disk as set, or undefined */
  readonly rootSize: string | undefined;
}

/**
 * The one door that every change of an instance's config in force passes: create, copy, update, restore, change of a
 * profile. It works on the merged result and runs in the transaction that stores it. Throws "invalid-argument".
 */
export async function checkInstance(reader: Reader, local: Local): Promise<CheckedInstance> {
  checkDescription(local.description);
  checkConfig(local.config);
  checkDevices(local.devices);
  if (new Set(local.profiles).size !== local.profiles.length)
    throw new ApiError('invalid-argument', `Instance "${local.name}" lists a profile twice`);
  const profiles = await loadProfiles(reader, local.project, local.profiles);
  const expanded = expand(profiles, local);
  checkConfig(expanded.config);
  checkTogether(expanded.config);
  checkExpandedDevices(expanded.devices, await loadDeviceFacts(reader, local.project));
  const root = rootDevice(expanded.devices);
  if (!root) {
    const message = `Instance "${local.name}" has no root disk: add a disk device with path "/" and a pool, for example to profile "default"`;
    throw new ApiError('invalid-argument', message);
  }
  await checkProject(reader, local.project, { name: local.name, ...expanded });
  return { ...expanded, pool: root[1]['pool'] ?? '', rootSize: root[1]['size'] };
}

/** Throws "invalid-argument" for a profile that no instance could have. */
export async function checkProfile(
  reader: Reader,
  profile: Pick<ProfileRecord, 'project' | 'description' | 'config' | 'devices'>,
): Promise<void> {
  checkDescription(profile.description);
  checkConfig(profile.config, 'profile');
  checkExpandedDevices(profile.devices, await loadDeviceFacts(reader, profile.project, 'profile'));
}

/** Config and devices in force, without checks; profiles that are gone are left out. */
export async function expandInstance(
  reader: Reader,
  local: Pick<Local, 'project' | 'config' | 'devices' | 'profiles'>,
): Promise<Expanded> {
  const owner = await ownerProject(reader, local.project, 'profiles');
  const found = await Promise.all(local.profiles.map(name => findProfile(reader, owner, name)));
  return expand(
    found.filter(profile => profile !== undefined),
    local,
  );
}

/** Facts for devices of an instance in a project, or for those of a profile, which several projects may share. */
export async function loadDeviceFacts(
  reader: Reader,
  project: string,
  of: 'instance' | 'profile' = 'instance',
): Promise<DeviceFacts> {
  const pools = await reader.all<{ name: string }>('SELECT name FROM storage_pools WHERE ready = 1');
  return {
    ...(of === 'instance' && { volumes: await loadVolumes(reader, project) }),
    pools: new Set(pools.map(pool => pool.name)),
    networks: await loadNetworkFacts(reader, project),
  };
}

/** Networks that instances of a project may be on. */
export async function loadNetworkFacts(reader: Reader, project: string): Promise<DeviceFacts['networks']> {
  const networks = await reader.all<{ id: number; name: string; type: string }>(
    `SELECT n.id, n.name, n.type FROM networks n JOIN projects p ON p.id = n.project_id WHERE p.name = ?`,
    [await ownerProject(reader, project, 'networks')],
  );
  const configs = networks.length === 0 ? new Map<number, ConfigMap>() : await loadConfigs(reader, networkConfig);
  return new Map(networks.map(({ id, name, type }) => [name, { type, config: configs.get(id) ?? {} }]));
}

async function loadVolumes(reader: Reader, project: string): Promise<ReadonlySet<string>> {
  const rows = await reader.all<{ volume: string }>(
    `SELECT s.name || '/' || v.name AS volume FROM storage_volumes v JOIN storage_pools s ON s.id = v.storage_pool_id
     JOIN projects p ON p.id = v.project_id WHERE v.type = 2 AND v.ready = 1 AND p.name = ?`,
    [await volumeProject(reader, project)],
  );
  return new Set(rows.map(({ volume }) => volume));
}

async function loadProfiles(reader: Reader, project: string, names: readonly string[]): Promise<ProfileRecord[]> {
  const owner = await ownerProject(reader, project, 'profiles');
  const profiles: ProfileRecord[] = [];
  for (const name of names) {
    const profile = await findProfile(reader, owner, name);
    if (!profile) throw new ApiError('invalid-argument', `Profile "${name}" does not exist in project "${project}"`);
    profiles.push(profile);
  }
  return profiles;
}

function checkDescription(description: string): void {
  if (description.length > 4096) throw new ApiError('invalid-argument', 'Invalid "description": is too long');
  if (hasControlCharacters(description))
    throw new ApiError('invalid-argument', 'Invalid "description": must not hold line breaks or control characters');
}

function checkTogether(config: ConfigMap): void {
  const problem = nvidiaProblem(config);
  if (problem !== undefined) throw new ApiError('invalid-argument', `Config key "nvidia.runtime" ${problem}`);
  const clash = syscallProblem(config);
  if (clash !== undefined) throw new ApiError('invalid-argument', clash);
}
