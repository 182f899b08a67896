import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { getInstance, type InstanceRecord, updateInstance } from '#server/database/instances.ts';
import { containerId } from '../paths.ts';
import type { InstanceServices } from './instance-services.ts';
import { rootPool, rootVolume } from './root-volume.ts';
import { assertStateCanBeKept } from './state-checks.ts';

type Owner = Pick<InstanceRecord, 'project' | 'name' | 'pool'>;

/** Where the state of an instance's processes is kept: in its root volume, beside the root file system, as LXD has it. */
export function stateFolder(volumeFolder: string): string {
  return path.join(volumeFolder, 'state');
}

export interface KeepState {
  /** the instance goes on afterwards */
  readonly goesOn: boolean;
  /** called when the state is written and the instance stands still; it goes on when this fails */
  readonly written: () => Promise<void>;
}

/** Writes the state of a running instance's processes; when that fails it goes on, and nothing is kept. */
export async function keepState(
  services: InstanceServices,
  record: InstanceRecord,
  { goesOn, written }: KeepState,
): Promise<void> {
  await assertStateCanBeKept(services, record);
  await rootPool(services, record).withMounted(rootVolume(record), async volumeFolder => {
    const folder = stateFolder(volumeFolder);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
    const id = containerId(record.project, record.name);
    try {
      await services.runtime.checkpoints.write(id, { folder, goesOn, written });
    } catch (error) {
      await dropState(services, record, volumeFolder);
      throw error;
    }
    if (goesOn) await rm(folder, { recursive: true, force: true });
  });
}

/** Notes that an instance is to go on from its state when it starts. */
export async function noteState(services: InstanceServices, { project, name }: Owner): Promise<void> {
  await services.database.write(async tx =>
    updateInstance(tx, await getInstance(tx, project, name), { stateful: true }),
  );
}

/** Forgets the state of an instance, first that there is one; succeeds when there is none. */
export async function dropState(
  services: Pick<InstanceServices, 'database'>,
  { project, name }: Owner,
  volumeFolder: string,
): Promise<void> {
  await services.database.write(async tx =>
    updateInstance(tx, await getInstance(tx, project, name), { stateful: false }),
  );
  await rm(stateFolder(volumeFolder), { recursive: true, force: true });
}

/** The same for an instance whose root volume may not be mounted. */
export async function clearState(services: InstanceServices, record: InstanceRecord): Promise<void> {
  await rootPool(services, record).withMounted(rootVolume(record), folder => dropState(services, record, folder));
}
