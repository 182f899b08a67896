import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { Profile } from '#api/profile.ts';
import { objectNameProblem } from '#base/names.ts';
import type { Requestor } from '#api/event.ts';
import {
  deleteProfileRow,
  findProfile,
  getProfile,
  listProfiles,
  type ProfileRecord,
  profileUsers,
  renameProfileRow,
} from '../database/profiles.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Services } from '../services.ts';

type Uses = Pick<Services, 'database' | 'events'>;

/** The part of a profile that clients may change: its ETag. */
export function writableProfile({ config, description, devices }: ProfileRecord): unknown {
  return { config, description, devices };
}

export async function readProfiles(services: Uses, project: string): Promise<readonly Profile[]> {
  return await services.database.read(async reader => {
    const users = await profileUsers(reader);
    return (await listProfiles(reader, project)).map(record => view(record, users.get(record.id) ?? []));
  });
}

export async function readProfile(
  services: Uses,
  project: string,
  name: string,
): Promise<{ readonly record: ProfileRecord; readonly view: Profile }> {
  return await services.database.read(async reader => {
    const record = await getProfile(reader, project, name);
    const users = await profileUsers(reader, record.id);
    return { record, view: view(record, users.get(record.id) ?? []) };
  });
}

/** Throws "failed-precondition" for the profile "default", which clients rely on. */
export async function renameProfile(
  services: Uses,
  project: string,
  names: { readonly from: string; readonly to: string },
  requestor?: Requestor,
): Promise<void> {
  checkProfileName(names.to);
  await services.database.write(async tx => {
    const record = await getProfile(tx, project, names.from);
    if (names.from === 'default') throw new ApiError('failed-precondition', 'The profile "default" cannot be renamed');
    if (await findProfile(tx, project, names.to))
      throw new ApiError('already-exists', `Profile "${names.to}" already exists`);
    await renameProfileRow(tx, record.id, names.to);
  });
  const context = { old_name: names.from };
  emitLifecycle(services.events, 'profile-renamed', profilePath(names.to), {
    project,
    context,
    ...(requestor && { requestor }),
  });
}

/** Throws "failed-precondition" while instances use the profile, and for the profile "default". */
export async function deleteProfile(
  services: Uses,
  project: string,
  name: string,
  requestor?: Requestor,
): Promise<void> {
  await services.database.write(async tx => {
    const record = await getProfile(tx, project, name);
    if (name === 'default') throw new ApiError('failed-precondition', 'The profile "default" cannot be deleted');
    const users = (await profileUsers(tx, record.id)).get(record.id) ?? [];
    if (users.length > 0) {
      const names = users.slice(0, 5).map(user => `"${user.name}"`);
      throw new ApiError(
        'failed-precondition',
        `Cannot delete profile "${name}" while instances use it: ${names.join(', ')}`,
      );
    }
    await deleteProfileRow(tx, record.id);
  });
  emitLifecycle(services.events, 'profile-deleted', profilePath(name), { project, ...(requestor && { requestor }) });
}

export function checkProfileName(name: string): void {
  const problem = objectNameProblem(name);
  if (problem !== undefined) throw new ApiError('invalid-argument', `Profile name "${name.slice(0, 100)}" ${problem}`);
}

/** What a request asks a profile to be: all of it for PUT, merged into what is there for PATCH. */
export function changedProfile(
  record: ProfileRecord,
  change: { readonly description?: string; readonly config?: ConfigMap; readonly devices?: DevicesMap },
  merge: boolean,
): Pick<ProfileRecord, 'description' | 'config' | 'devices'> {
  const config = merge ? { ...record.config, ...change.config } : (change.config ?? {});
  return {
    description: change.description ?? (merge ? record.description : ''),
    config: Object.fromEntries(Object.entries(config).filter(([, value]) => value !== '')),
    devices: merge ? { ...record.devices, ...change.devices } : (change.devices ?? {}),
  };
}

export function profilePath(name: string): string {
  return `/1.0/profiles/${encodeURIComponent(name)}`;
}

function view(record: ProfileRecord, users: readonly { readonly project: string; readonly name: string }[]): Profile {
  return {
    config: record.config,
    description: record.description,
    devices: record.devices,
    name: record.name,
    used_by: users.map(({ project, name }) =>
      project === 'default'
        ? `/1.0/instances/${name}`
        : `/1.0/instances/${name}?project=${encodeURIComponent(project)}`,
    ),
  };
}
