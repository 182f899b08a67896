import { listInstanceRows } from '#server/database/instances.ts';
import { deleteInstance } from '../instances/delete-instance.ts';
import type { InstanceServices } from '../instances/instance-services.ts';
import { partialKey } from '../instances/partial.ts';

const keptMs = 7 * 24 * 3600 * 1000;

/** Deletes what has come partly when nobody went on with its transfer for a week. */
export async function deleteExpiredPartial(services: InstanceServices, now: Date = new Date()): Promise<void> {
  const any = await services.database.read(reader =>
    reader.all('SELECT id FROM instances_config WHERE key = ? LIMIT 1', [partialKey]),
  );
  if (any.length === 0) return;
  const rows = await services.database.read(listInstanceRows);
  for (const { project, name, config } of rows) {
    const since = config[partialKey];
    if (since === undefined || Date.parse(since) + keptMs > now.getTime()) continue;
    await deleteInstance(services, project, name).catch((error: unknown) => {
      services.log.warning('Failed deleting an instance that arrived partly', { project, instance: name, error });
    });
  }
}
