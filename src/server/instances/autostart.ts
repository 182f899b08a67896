import { setTimeout as sleep } from 'node:timers/promises';
import { effective, parseBoolean } from '#base/config-schema.ts';
import { Lane } from '#base/lane.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import { findInstance } from '#server/database/instances.ts';
import { containerId } from '../paths.ts';
import { instanceKeys } from './config-keys.ts';
import { listExpanded } from './expand-many.ts';
import { handOverOf } from './hand-over.ts';
import type { InstanceServices } from './instance-services.ts';
import { startInstance } from './start-instance.ts';
import { stopInstance } from './stop-instance.ts';

interface Candidate {
  readonly record: InstanceRecord;
  readonly config: Readonly<Record<string, string>>;
}

/** Containers that start or stop at the same time. */
const width = 4;
const lastPower = 'volatile.last_state.power';

/**
 * Starts instances that shall run: the highest boot.autostart.priority first, broken ones do not hold up the rest.
 * One that somebody starts or stops before its turn is left as they want it.
 */
export async function autostartInstances(services: InstanceServices, signal?: AbortSignal): Promise<void> {
  const wanted = (await candidates(services)).filter(
    ({ record, config }) => record.ready && isStopped(services, record) && shallRun(config),
  );
  for (const group of byPriority(wanted, 'boot.autostart.priority')) {
    const lane = new Lane(group.some(({ config }) => delayOf(config) > 0) ? 1 : width);
    await Promise.all(group.map(candidate => lane.run(() => autostart(services, candidate, signal))));
  }
}

/**
 * Stops all instances for the end of the host or daemon: the highest boot.stop.priority first. Each has its
 * boot.host_shutdown_timeout, at most `timeoutMs`, and is then stopped by force. They come back at the next start.
 */
export async function stopAllInstances(services: InstanceServices, timeoutMs: number): Promise<void> {
  const running = (await candidates(services)).filter(({ record }) => !isStopped(services, record));
  for (const group of byPriority(running, 'boot.stop.priority')) {
    await Promise.all(group.map(candidate => stopForShutdown(services, candidate, timeoutMs)));
  }
}

async function autostart(
  services: InstanceServices,
  { record, config }: Candidate,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal?.aborted) return;
  try {
    const asListed = () => isAsListed(services, record);
    await startInstance(services, record.project, record.name, signal ? { signal } : {}, { wanted: asListed });
  } catch (error) {
    services.log.error('Failed starting an instance at boot', {
      project: record.project,
      instance: record.name,
      error,
    });
  }
  if (delayOf(config) > 0) await sleep(delayOf(config), undefined, signal ? { signal } : {}).catch(() => undefined);
}

async function stopForShutdown(
  services: InstanceServices,
  { record, config }: Candidate,
  timeoutMs: number,
): Promise<void> {
  const { project, name } = record;
  const own = Math.max(0, Number(effective(instanceKeys, config, 'boot.host_shutdown_timeout')) * 1000);
  try {
    await stopInstance(services, project, name, { force: false, timeoutMs: Math.min(own, timeoutMs) });
  } catch (error) {
    services.log.warning('An instance did not shut down in time and is killed', { project, instance: name, error });
    await stopInstance(services, project, name, { force: true, timeoutMs: undefined }).catch((failure: unknown) =>
      services.log.error('Failed stopping an instance', { project, instance: name, error: failure }),
    );
  }
}

async function candidates(services: InstanceServices): Promise<readonly Candidate[]> {
  const listed = await services.database.read(listExpanded);
  return listed.map(({ record, expanded }) => ({ record, config: expanded.config }));
}

/** Whether nobody has started, stopped or deleted the instance since it was listed; the caller holds its lock. */
async function isAsListed(services: InstanceServices, listed: InstanceRecord): Promise<boolean> {
  const now = await services.database.read(reader => findInstance(reader, listed.project, listed.name));
  return now?.id === listed.id && now.config[lastPower] === listed.config[lastPower] && isStopped(services, now);
}

function isStopped(services: InstanceServices, record: InstanceRecord): boolean {
  return services.runtime.status(containerId(record.project, record.name)) === 'stopped';
}

/** What was on its way between servers as that says, else boot.autostart where it is set, else as it was left. */
function shallRun(config: Readonly<Record<string, string>>): boolean {
  const handOver = handOverOf(config);
  if (handOver) return handOver === 'leaving' || handOver === 'arriving';
  const asked = config['boot.autostart'];
  return asked ? (parseBoolean(asked) ?? false) : config[lastPower] === 'RUNNING';
}

function byPriority(list: readonly Candidate[], key: string): readonly (readonly Candidate[])[] {
  const groups = new Map<number, Candidate[]>();
  for (const candidate of list) {
    const priority = Number(effective(instanceKeys, candidate.config, key));
    groups.set(priority, [...(groups.get(priority) ?? []), candidate]);
  }
  return [...groups].sort(([a], [b]) => b - a).map(([, group]) => group);
}

/** Milliseconds. */
function delayOf(config: Readonly<Record<string, string>>): number {
  return Math.max(0, Number(effective(instanceKeys, config, 'boot.autostart.delay')) * 1000);
}
