import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { ApiError } from '#api/error.ts';
import { effectiveBoolean } from '#base/config-schema.ts';
import { kernel } from '#native/kernel.ts';
import { findInstance } from '#server/database/instances.ts';
import { expandInstance } from '../instances/check-instance.ts';
import { instanceKeys } from '../instances/config-keys.ts';
import type { Expanded } from '../profiles/expand-config.ts';
import { splitContainerId } from '../instances/follow-containers.ts';
import type { Services } from '../services.ts';

/** An instance that asks about itself, as it is now. */
export interface Guest extends Expanded {
  readonly project: string;
  readonly name: string;
  /** own config with volatile keys */
  readonly local: Readonly<Record<string, string>>;
}

/**
 * The container of the process at the other end of a socket; undefined when it is in none of ours. The kernel's own
 * handle of that process is held meanwhile, so that its number cannot have passed to another.
 */
export function containerOfPeer(services: Pick<Services, 'runtime'>, socket: Socket): string | undefined {
  const descriptor = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  let pidfd = -1;
  try {
    const { pid } = kernel.peerCredentials(descriptor);
    pidfd = kernel.peerPidfd(descriptor);
    const id = services.runtime.containerOf(pid);
    kernel.pidfdSendSignal(pidfd, 0);
    return id;
  } catch {
    return undefined; // it is gone
  } finally {
    if (pidfd >= 0) closeSync(pidfd);
  }
}

/** The instance behind a container; throws "permission-denied" when it may not ask. */
export async function loadGuest(services: Pick<Services, 'database'>, containerId: string): Promise<Guest> {
  const { project, name } = splitContainerId(containerId);
  const guest = await services.database.read(async reader => {
    const record = await findInstance(reader, project, name);
    return record && { project, name, local: record.config, ...(await expandInstance(reader, record)) };
  });
  if (!guest || !effectiveBoolean(instanceKeys, guest.config, 'security.devlxd'))
    throw new ApiError('permission-denied', 'not authorized');
  return guest;
}
