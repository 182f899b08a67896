import { ApiError } from '#api/error.ts';
import { getTrash, type TrashRecord } from '../database/trash.ts';
import { instancePath, type InstanceServices } from '../instances/instance-services.ts';
import { planUntrash, untrashInstance } from '../instances/untrash-instance.ts';
import { type ActionContext, volumePath } from '../volumes/volume.ts';
import { checkUntrash, untrashVolume } from '../volumes/untrash-volume.ts';
import { holdTrash } from './trash-items.ts';

/** Puts something back from the trash, under its old name or another that is free. */
export async function restoreTrash(
  services: InstanceServices,
  uuid: string,
  name: string,
  context: ActionContext = {},
): Promise<void> {
  using _lock = holdTrash(services, uuid, 'restore');
  const record = await readKept(services, uuid);
  await namingWhat(record, async () =>
    record.type === 'instance'
      ? untrashInstance(services, record, name, context)
      : untrashVolume(services, record, name, context),
  );
}

/** Throws what would keep restoreTrash from it. */
export async function checkRestore(
  services: Pick<InstanceServices, 'database'>,
  record: TrashRecord,
  name: string,
): Promise<void> {
  await namingWhat(record, async () =>
    services.database.read(async reader => {
      if (record.type === 'instance') await planUntrash(reader, record, name);
      else await checkUntrash(reader, record, name);
    }),
  );
}

/** URL path of what was put back. */
export function restoredPath({ type, pool }: TrashRecord, name: string): string {
  return type === 'instance' ? instancePath(name) : volumePath(pool, name);
}

async function readKept({ database }: Pick<InstanceServices, 'database'>, uuid: string): Promise<TrashRecord> {
  const record = await database.read(reader => getTrash(reader, uuid));
  if (record.state === 'kept') return record;
  throw new ApiError('busy', `Cannot restore "${uuid}" from the trash now: it is ${record.state}; try again`);
}

/** Says what could not be restored, and how a taken name is got around. */
async function namingWhat<T>({ type, name }: TrashRecord, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!ApiError.is(error)) throw error;
    const hint = error.code === 'already-exists' ? '; give another name' : '';
    const message = `Cannot restore ${type} "${name}" from the trash: ${error.message}${hint}`;
    throw new ApiError(error.code, message, { cause: error });
  }
}
