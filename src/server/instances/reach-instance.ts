import path from 'node:path';
import type { ConfigMap } from '#api/common.ts';
import { getInstance, type InstanceRecord } from '#server/database/instances.ts';
import { containerId } from '../paths.ts';
import type { Idmap } from '../runtime/runtime.ts';
import type { Services } from '../services.ts';
import { expandInstance } from './check-instance.ts';
import type { ExecInstance } from './exec.ts';
import type { FilesInstance } from './files.ts';
import { idmapOf, keptIdmap } from './idmap.ts';
import { alignRootIds, mountRoot, rootPool, rootVolume, unmountRoot } from './root-volume.ts';

/** The instance as those who work inside it need it; "not-found" when there is none. */
export async function reachInstance(
  services: Pick<Services, 'database'>,
  project: string,
  name: string,
): Promise<ExecInstance> {
  return (await loadInstance(services, project, name)).instance;
}

/** The same with its root volume mounted until it is disposed of. */
export async function reachFiles(
  services: Pick<Services, 'database' | 'pools' | 'paths' | 'runtime'>,
  project: string,
  name: string,
): Promise<FilesInstance> {
  const { record, instance } = await loadInstance(services, project, name);
  const { id, config } = instance;
  const folder = await mountRoot(services, record);
  // The process that serves them stays a while, with what is there now: whoever puts something else there ends it.
  const volume = rootVolume(record);
  rootPool(services, record).users.addReader({ volume, name: '' }, () => services.runtime.leaveFiles(id));
  let mounted = true;
  const release = async (): Promise<void> => {
    if (mounted) await unmountRoot(services, record);
    mounted = false;
  };
  const idmap = idmapFor(record.config, config);
  const stopped = services.runtime.status(id) === 'stopped';
  const hostIds = stopped && (await alignRootIds(services, record, idmap).catch(failedAfter(release)));
  return {
    project,
    name,
    id,
    rootfs: path.join(folder, 'rootfs'),
    idmap,
    hostIds,
    [Symbol.asyncDispose]: release,
  };
}

function failedAfter(release: () => Promise<void>): (error: unknown) => Promise<never> {
  return async error => {
    await release();
    throw error;
  };
}

/** The map of the last start; before the first one that which it will get. */
export function idmapFor(local: ConfigMap, expanded: ConfigMap): Idmap | undefined {
  return local['volatile.idmap.next'] === undefined ? idmapOf(expanded, []) : keptIdmap(local);
}

/** An instance's row and what those who work inside it need. */
export async function loadInstance(
  services: Pick<Services, 'database'>,
  project: string,
  name: string,
): Promise<{ record: InstanceRecord; instance: ExecInstance }> {
  return await services.database.read(async reader => {
    const record = await getInstance(reader, project, name);
    const { config } = await expandInstance(reader, record);
    return { record, instance: { project, name, id: containerId(project, name), config } };
  });
}
