import { getInstance, type InstanceRecord, patchInstanceConfig } from '#server/database/instances.ts';
import type { InstanceServices } from './instance-services.ts';

/**
 * How far an instance that runs is on its way to another server, for a daemon that is killed meanwhile: "leaving" runs
 * here again; of "released" the target decides, which may run it. "expected" may yet be let go by its source, which runs
 * it until then; "arriving" was let go and runs here.
 */
export type HandOver = 'leaving' | 'released' | 'expected' | 'arriving';

export const handOverKey = 'volatile.migration.hand_over';

export async function writeHandOver(
  services: Pick<InstanceServices, 'database'>,
  { project, name }: Pick<InstanceRecord, 'project' | 'name'>,
  state: HandOver | undefined,
): Promise<void> {
  await services.database.write(async tx => {
    const { id } = await getInstance(tx, project, name);
    await patchInstanceConfig(tx, id, { [handOverKey]: state });
  });
}

export function handOverOf(config: Readonly<Record<string, string>>): HandOver | undefined {
  return config[handOverKey] as HandOver | undefined;
}
