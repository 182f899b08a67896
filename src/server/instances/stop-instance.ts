import { ApiError } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { findInstance, getInstance, type InstanceRecord } from '#server/database/instances.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { containerId } from '../paths.ts';
import { expandInstance } from './check-instance.ts';
import { deleteHeld } from './delete-instance.ts';
import type { HandOver } from './hand-over.ts';
import { stopDevices } from './instance-devices.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { keepState, noteState } from './kept-state.ts';
import { unmountRoot } from './root-volume.ts';
import { startHeld, writeStopped } from './start-instance.ts';
import { assertAllowed, busy, holdInstance, type InstanceActivity, lockKey } from './status.ts';

export interface StopOptions {
  readonly force: boolean;
  /** how long a clean stop may take; undefined = for ever */
  readonly timeoutMs: number | undefined;
  /** keeps the state of its processes, which go on at the next start */
  readonly stateful?: boolean;
}

/** Stops a running instance; an ephemeral one is deleted with it. */
export async function stopInstance(
  services: InstanceServices,
  project: string,
  name: string,
  options: StopOptions,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await holdForStop(services, { project, name, action: 'stop' }, options, context);
  const record = await services.database.read(reader => findInstance(reader, project, name));
  const id = containerId(project, name);
  const kernel = services.runtime.status(id);
  if (kernel === 'stopped' && _lock.overtaken) return;
  if (!record) throw new ApiError('not-found', `Instance "${name}" not found`);
  assertAllowed(name, record.ready, kernel, 'stop');
  if (options.stateful)
    await keepState(services, record, { goesOn: false, written: () => noteState(services, record) });
  else await endContainer(services, record, options, context);
  await releaseHeld(services, record);
  tell(services, options.stateful || options.force ? 'instance-stopped' : 'instance-shutdown', record, context);
  if (record.ephemeral) await deleteHeld(services, record, context);
}

/** Stops and starts a running instance; an ephemeral one survives that. */
export async function restartInstance(
  services: InstanceServices,
  project: string,
  name: string,
  options: StopOptions,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await holdForStop(services, { project, name, action: 'restart' }, options, context);
  const record = await services.database.read(reader => getInstance(reader, project, name));
  const kernel = services.runtime.status(containerId(project, name));
  if (!_lock.overtaken || kernel !== 'stopped') {
    assertAllowed(name, record.ready, kernel, 'restart');
    await endContainer(services, record, options, context);
    await releaseHeld(services, record);
  }
  await startHeld(services, project, name, context);
  tell(services, 'instance-restarted', record, context);
}

/** Freezes or unfreezes a running instance. */
export async function freezeInstance(
  services: InstanceServices,
  project: string,
  name: string,
  action: 'freeze' | 'unfreeze',
  context: ActionContext = {},
): Promise<void> {
  using _lock = await holdInstance(services.locks, project, name, action, context.signal);
  const record = await services.database.read(reader => getInstance(reader, project, name));
  const id = containerId(project, name);
  assertAllowed(name, record.ready, services.runtime.status(id), action);
  await services.runtime[action](id);
  tell(services, action === 'freeze' ? 'instance-paused' : 'instance-resumed', record, context);
}

/** Ends the container's processes; the caller holds the lock and releases host resources afterwards. */
export async function endContainer(
  services: InstanceServices,
  record: InstanceRecord,
  { force, timeoutMs }: StopOptions,
  { signal }: ActionContext,
): Promise<void> {
  const id = containerId(record.project, record.name);
  if (force) {
    await services.runtime.kill(id);
  } else {
    if (services.runtime.status(id) === 'frozen') await services.runtime.unfreeze(id);
    try {
      await services.runtime.shutdown(id, timeoutMs, signal);
    } catch (error) {
      if (!ApiError.is(error, 'busy')) throw error;
      const seconds = String(Math.round((timeoutMs ?? 0) / 1000));
      const message = `Instance "${record.name}" did not shut down within ${seconds} s; stop it by force`;
      throw new ApiError('busy', message, { cause: error });
    }
  }
  await faultPoint('stop.after-runtime');
}

/** Gives back what a container that has ended used of the host. May be called twice. */
export async function releaseHeld(
  services: InstanceServices,
  record: InstanceRecord,
  handOver?: HandOver,
): Promise<void> {
  const { now, devices } = await services.database.read(async reader => {
    const now = await getInstance(reader, record.project, record.name);
    return { now, devices: (await expandInstance(reader, now)).devices };
  });
  await stopDevices(services, now, devices, now.config);
  await faultPoint('stop.after-devices');
  try {
    await unmountRoot(services, now);
  } catch (error) {
    services.log.warning('Failed unmounting a root volume', { instance: record.name, error });
  }
  await faultPoint('stop.after-unmount');
  // A host that shuts down brings back at boot what ran.
  await writeStopped(services, now, services.control.shuttingDown ? 'RUNNING' : 'STOPPED', handOver);
}

interface StopLock extends Disposable {
  /** the container was killed while somebody else, who held the lock, was stopping it */
  readonly overtaken: boolean;
}

/** A forced stop does not wait for a clean one that is under way: it kills first, then takes the lock. */
async function holdForStop(
  services: InstanceServices,
  { project, name, action }: { readonly project: string; readonly name: string; readonly action: InstanceActivity },
  options: StopOptions,
  context: ActionContext,
): Promise<StopLock> {
  const holder = services.locks.holder(lockKey(project, name));
  const overtaken = options.force && !options.stateful && (holder === 'stop' || holder === 'restart');
  if (overtaken) await services.runtime.kill(containerId(project, name));
  if (!options.force && action === holder) throw busy(name, action, holder);
  const lock = await holdInstance(services.locks, project, name, action, context.signal);
  return { overtaken, [Symbol.dispose]: () => lock.release() };
}

function tell(services: InstanceServices, action: string, record: InstanceRecord, context: ActionContext): void {
  emitLifecycle(services.events, action, instancePath(record.name), {
    project: record.project,
    ...(context.requestor && { requestor: context.requestor }),
  });
}
