import type { Reader } from '#server/database/database.ts';
import { type InstanceRecord, listInstanceRows } from '#server/database/instances.ts';
import { listProfiles, type ProfileRecord } from '#server/database/profiles.ts';
import { ownerProjects } from '#server/database/project-features.ts';
import { expand, type Expanded } from '../profiles/expand-config.ts';

/** Finds a profile by the project of the instance that names it. */
export type Profiles = (project: string, name: string) => ProfileRecord | undefined;

/** The profiles that instances of a project may have, of all projects when undefined. */
export async function profilesByName(reader: Reader, project: string | undefined): Promise<Profiles> {
  const ownerOf = await ownerProjects(reader, 'profiles');
  const profiles = await listProfiles(reader, project === undefined ? undefined : ownerOf(project));
  const byName = new Map(profiles.map(profile => [`${profile.project}/${profile.name}`, profile]));
  return (project, name) => byName.get(`${ownerOf(project)}/${name}`);
}

export function expandWith(
  profiles: Profiles,
  local: Pick<InstanceRecord, 'project' | 'profiles' | 'config' | 'devices'>,
): Expanded {
  const layers = local.profiles.flatMap(name => profiles(local.project, name) ?? []);
  return expand(layers, local);
}

/** All instances with their expanded config: a fixed number of queries however many there are. */
export async function listExpanded(
  reader: Reader,
): Promise<readonly { readonly record: InstanceRecord; readonly expanded: Expanded }[]> {
  const profiles = await profilesByName(reader, undefined);
  return (await listInstanceRows(reader)).map(record => ({ record, expanded: expandWith(profiles, record) }));
}
