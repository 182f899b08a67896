import { ApiError } from '#api/error.ts';
import { effectiveBoolean } from '#base/config-schema.ts';
import { faultPoint } from '#base/fault-point.ts';
import type { Reader } from '#server/database/database.ts';
import { getInstance, type InstanceRecord } from '#server/database/instances.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { expandInstance } from '../instances/check-instance.ts';
import { instanceKeys } from '../instances/config-keys.ts';
import { deleteHeld } from '../instances/delete-instance.ts';
import { writeHandOver } from '../instances/hand-over.ts';
import { type ActionContext, instancePath, type InstanceServices } from '../instances/instance-services.ts';
import { startHeld } from '../instances/start-instance.ts';
import { assertAllowed, holdInstance } from '../instances/status.ts';
import { endContainer, releaseHeld } from '../instances/stop-instance.ts';
import { containerId } from '../paths.ts';
import type { Arrival } from './sink.ts';

export interface HandedOver {
  readonly project: string;
  readonly name: string;
  /** how long the guest may take to shut down before it is stopped by force */
  readonly stopTimeoutMs: number;
}

/**
 * The last step of a move, at the source: stops the instance, lets `transfer` bring over what is missing, and deletes it
 * when the target runs it. Before `transfer` calls `release`, any failure starts it here again; afterwards only the
 * target's own word that it does not run there.
 */
export async function handOver(
  services: InstanceServices,
  { project, name, stopTimeoutMs }: HandedOver,
  transfer: (release: () => Promise<void>) => Promise<void>,
  context: ActionContext,
): Promise<void> {
  using _lock = await holdInstance(services.locks, project, name, 'move', context.signal);
  const record = await services.database.read(reader => getInstance(reader, project, name));
  assertAllowed(name, record.ready, services.runtime.status(containerId(project, name)), 'stop');
  let isReleased = false;
  const release = async (): Promise<void> => {
    await writeHandOver(services, record, 'released');
    isReleased = true;
    await faultPoint('hand-over.after-release');
  };
  try {
    await writeHandOver(services, record, 'leaving');
    await stop(services, record, stopTimeoutMs, context);
    await faultPoint('hand-over.after-stop');
    await transfer(release);
    await faultPoint('hand-over.after-arrival');
  } catch (error) {
    if (!isReleased || ApiError.is(error, 'failed-precondition')) await takeBack(services, record);
    throw error;
  }
  await deleteHeld(services, record, context);
}

/** Throws "failed-precondition" when it could not be deleted here afterwards. */
export async function assertMayLeave(reader: Reader, record: InstanceRecord): Promise<void> {
  const { config } = await expandInstance(reader, record);
  if (!effectiveBoolean(instanceKeys, config, 'security.protection.delete')) return;
  const message = `Cannot move instance "${record.name}" away: it is protected; unset "security.protection.delete" first`;
  throw new ApiError('failed-precondition', message);
}

async function stop(
  services: InstanceServices,
  record: InstanceRecord,
  timeoutMs: number,
  context: ActionContext,
): Promise<void> {
  try {
    await endContainer(services, record, { force: false, timeoutMs }, context);
  } catch (error) {
    if (!ApiError.is(error, 'busy')) throw error;
    await endContainer(services, record, { force: true, timeoutMs: undefined }, context);
  }
  await releaseHeld(services, record, 'leaving');
}

async function takeBack(services: InstanceServices, record: InstanceRecord): Promise<void> {
  const { project, name } = record;
  if (services.runtime.status(containerId(project, name)) !== 'stopped')
    return await writeHandOver(services, record, undefined);
  try {
    await startHeld(services, project, name);
  } catch (error) {
    services.log.error('Failed starting an instance that did not get to another server', {
      project,
      instance: name,
      error,
    });
  }
}

/** The same step at the target; `remove` takes back what a failure leaves, when it was not there before. */
export function arrivalOf(
  services: InstanceServices,
  record: Pick<InstanceRecord, 'project' | 'name'>,
  remove: boolean,
  context: ActionContext,
): Arrival {
  const { project, name } = record;
  return {
    expect: () => writeHandOver(services, record, 'expected'),
    start: async () => {
      await writeHandOver(services, record, 'arriving');
      await faultPoint('take-over.after-mark');
      await startHeld(services, project, name, context);
      await faultPoint('take-over.after-start');
      emitLifecycle(services.events, 'instance-started', instancePath(name), {
        project,
        ...(context.requestor && { requestor: context.requestor }),
      });
    },
    fail: async () => {
      const now = await services.database.read(reader => getInstance(reader, project, name));
      if (remove) await deleteHeld(services, now, context);
      else await writeHandOver(services, record, undefined);
    },
  };
}
