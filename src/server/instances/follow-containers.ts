import { findInstance } from '#server/database/instances.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { containerId } from '../paths.ts';
import type { StoppedEvent } from '../runtime/runtime.ts';
import { deleteHeld } from './delete-instance.ts';
import { instancePath, type InstanceServices } from './instance-services.ts';
import { bootMark, startHeld } from './start-instance.ts';
import { lockKey } from './status.ts';
import { releaseHeld } from './stop-instance.ts';

/** Cleans up after containers that end by themselves, and starts again those whose guest asked for a reboot. */
export function followContainers(services: InstanceServices): void {
  services.runtime.onStopped(event => {
    onStopped(services, event).catch((error: unknown) => {
      services.log.error('Failed following a container that ended', { container: event.id, error });
    });
  });
}

async function onStopped(services: InstanceServices, event: StoppedEvent): Promise<void> {
  const { project, name } = splitContainerId(event.id);
  // Whoever stopped it on purpose holds the lock and has cleaned up when our turn comes.
  using _lock = await services.locks.hold(lockKey(project, name), event.reboot ? 'restart' : 'stop');
  const record = await services.database.read(reader => findInstance(reader, project, name));
  if (!record?.ready || services.runtime.status(containerId(project, name)) !== 'stopped') return;
  if (record.config[bootMark] === undefined) return;
  await releaseHeld(services, record);
  if (event.reboot && !services.control.shuttingDown) {
    await startHeld(services, project, name);
    emitLifecycle(services.events, 'instance-restarted', instancePath(name), { project });
    return;
  }
  emitLifecycle(services.events, 'instance-shutdown', instancePath(name), { project });
  if (record.ephemeral) await deleteHeld(services, record);
}

/** Project and name of a container's id; names of instances hold no underscore. */
export function splitContainerId(id: string): { readonly project: string; readonly name: string } {
  const cut = id.lastIndexOf('_');
  return cut < 0 ? { project: 'default', name: id } : { project: id.slice(0, cut), name: id.slice(cut + 1) };
}
