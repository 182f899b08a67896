import { ApiError } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { ProfilePut } from '#api/profile.ts';
import type { HeldLock } from '#base/keyed-lock.ts';
import { Revert } from '#base/revert.ts';
import type { Transaction } from '#server/database/database.ts';
import { getInstance, type InstanceRecord } from '#server/database/instances.ts';
import { getProfile, insertProfile, profileUsers, saveProfile } from '#server/database/profiles.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { changedProfile, checkProfileName, profilePath, writableProfile } from '../profiles/profiles.ts';
import { checkProject } from '../projects/check-project.ts';
import { checkInstance, checkProfile, expandInstance } from './check-instance.ts';
import type { Expanded } from '../profiles/expand-config.ts';
import type { InstanceServices } from './instance-services.ts';
import { holdInstance } from './status.ts';
import { applyChange } from './update-instance.ts';

interface User {
  readonly record: InstanceRecord;
  readonly was: Expanded;
}

export async function createProfile(
  services: Pick<InstanceServices, 'database' | 'events'>,
  project: string,
  request: ProfilePut & { readonly name: string },
  requestor?: Requestor,
): Promise<void> {
  checkProfileName(request.name);
  const { name, description = '', config = {}, devices = {} } = request;
  await services.database.write(async tx => {
    await checkProfile(tx, { project, description, config, devices });
    await insertProfile(tx, { project, name, description, config, devices });
    await checkProject(tx, project);
  });
  emitLifecycle(services.events, 'profile-created', profilePath(name), { project, ...(requestor && { requestor }) });
}

export interface ProfileChange {
  readonly put: ProfilePut;
  /** PATCH instead of PUT */
  readonly merge: boolean;
  /** throws "etag-mismatch" when the client saw another state */
  readonly check: (writable: unknown) => void;
}

/**
 * Changes a profile and every instance that uses it: each must stay valid, or nothing changes. Running ones take over
 * what they can; where one fails, the others and the profile stay changed and the error names it.
 */
export async function changeProfile(
  services: InstanceServices,
  project: string,
  name: string,
  change: ProfileChange,
  requestor?: Requestor,
): Promise<void> {
  const locks = await holdUsers(services, project, name);
  try {
    const users = await services.database.write(tx => storeProfile(tx, project, name, change));
    emitLifecycle(services.events, 'profile-updated', profilePath(name), { project, ...(requestor && { requestor }) });
    await applyToUsers(services, name, users);
  } finally {
    for (const lock of locks) lock.release();
  }
}

async function storeProfile(
  tx: Transaction,
  project: string,
  name: string,
  { put, merge, check }: ProfileChange,
): Promise<readonly User[]> {
  const record = await getProfile(tx, project, name);
  check(writableProfile(record));
  const after = changedProfile(record, put, merge);
  const users: User[] = [];
  for (const user of (await profileUsers(tx, record.id)).get(record.id) ?? []) {
    const instance = await getInstance(tx, user.project, user.name);
    users.push({ record: instance, was: await expandInstance(tx, instance) });
  }
  await checkProfile(tx, { project, ...after });
  await saveProfile(tx, record.id, after);
  await checkProject(tx, project);
  for (const user of users) {
    const now = await checkInstance(tx, user.record);
    if (now.pool !== user.record.pool)
      throw new ApiError(
        'failed-precondition',
        `Cannot change the pool of the root disk in profile "${name}": instance "${user.record.name}" lies in "${user.record.pool}"`,
      );
  }
  return users;
}

async function applyToUsers(services: InstanceServices, profile: string, users: readonly User[]): Promise<void> {
  const failed: string[] = [];
  for (const { record, was } of users) {
    await using revert = new Revert(services.log);
    try {
      await applyChange(services, record, was, revert);
      revert.commit();
    } catch (error) {
      services.log.warning('Failed applying a profile', { profile, instance: record.name, error });
      failed.push(`"${record.name}" (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  if (failed.length === 0) return;
  const message = `Profile "${profile}" was changed, but these instances take it over only when they restart: ${failed.join(', ')}`;
  throw new ApiError('failed-precondition', message);
}

/** In one order for everybody, so that two profiles with the same instances do not wait for each other. */
async function holdUsers(services: InstanceServices, project: string, name: string): Promise<readonly HeldLock[]> {
  const users = await services.database.read(async reader => {
    const { id } = await getProfile(reader, project, name);
    return (await profileUsers(reader, id)).get(id) ?? [];
  });
  const locks: HeldLock[] = [];
  try {
    for (const user of users) locks.push(await holdInstance(services.locks, user.project, user.name, 'update'));
    return locks;
  } catch (error) {
    for (const lock of locks) lock.release();
    throw error;
  }
}
