import type { Requestor } from '#api/event.ts';
import { ApiError } from '#api/error.ts';
import { hasControlCharacters, snapshotNameProblem } from '#base/names.ts';
import type { HeldLock } from '#base/keyed-lock.ts';
import type { Volume } from '#storage/driver.ts';
import type { Reader } from '../database/database.ts';
import { findVolume, type VolumeAt, type VolumeRecord } from '../database/storage-volumes.ts';
import { instancesUsingVolume, isUserOf, listVolumeUsers } from '../database/volume-users.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import { containerId, customVolumeName } from '../paths.ts';
import type { Services } from '../services.ts';

/** What actions on custom volumes use of the daemon. */
export type VolumeServices = Pick<Services, 'paths' | 'database' | 'pools' | 'runtime' | 'events' | 'locks' | 'log'>;

/** Where a custom volume is: `project` is the one that holds it. */
export type CustomAt = Omit<VolumeAt, 'type'>;

/** On whose behalf an action runs, and until when. */
export interface ActionContext {
  readonly signal?: AbortSignal;
  readonly requestor?: Requestor;
  /** until when what an undo of the action needs is kept; absent = nothing is kept */
  readonly keptUntil?: string;
}

/** The volume as its pool's driver knows it. */
export function onDisk({ project, name }: Pick<CustomAt, 'project' | 'name'>): Volume {
  return { kind: 'custom', name: customVolumeName(project, name) };
}

/** Throws "not-found", or "busy" for a volume that is being made or deleted. */
export async function readyVolume(reader: Reader, at: CustomAt): Promise<VolumeRecord> {
  const record = await findVolume(reader, { ...at, type: 'custom' });
  if (!record) throw new ApiError('not-found', `Storage volume "${at.name}" not found`);
  if (record.ready) return record;
  throw new ApiError('busy', `Storage volume "${at.name}" is being made or deleted; try again`);
}

export function checkVolumeName(name: string): void {
  if (name === '') throw new ApiError('invalid-argument', 'Invalid "name": a volume must have one');
  if (name.includes('/')) throw new ApiError('invalid-argument', 'Storage volume names may not contain slashes');
  const problem = name.length > 63 ? 'must be at most 63 characters long' : segmentProblem(name);
  if (problem !== undefined) throw new ApiError('invalid-argument', `Storage volume name "${name}" ${problem}`);
}

export function checkSnapshotName(name: string): void {
  const problem = snapshotNameProblem(name);
  if (problem !== undefined) throw new ApiError('invalid-argument', `Snapshot name "${name.slice(0, 100)}" ${problem}`);
}

export function checkDescription(description: string): void {
  if (description.length > 4096) throw new ApiError('invalid-argument', 'Invalid "description": is too long');
  if (hasControlCharacters(description))
    throw new ApiError('invalid-argument', 'Invalid "description": must not hold line breaks or control characters');
}

const patienceMs = 10_000;

/** Takes a volume for an action; throws "busy" when it stays taken. */
export async function holdVolume(
  { locks }: Pick<VolumeServices, 'locks'>,
  at: CustomAt,
  action: string,
  signal?: AbortSignal,
): Promise<HeldLock> {
  const key = `custom/${at.pool}/${at.project}/${at.name}`;
  const patience = AbortSignal.timeout(patienceMs);
  try {
    return await locks.hold(key, action, signal ? AbortSignal.any([signal, patience]) : patience);
  } catch (error) {
    if (!patience.aborted || signal?.aborted) throw error;
    const holder = locks.holder(key) ?? 'something else';
    throw new ApiError('busy', `Cannot ${action} storage volume "${at.name}" now: ${holder} is under way; try again`);
  }
}

/** Takes two volumes in one order for all, so that opposite actions do not wait for each other. */
export async function holdVolumes(
  services: Pick<VolumeServices, 'locks'>,
  volumes: readonly [CustomAt, CustomAt],
  action: string,
  signal?: AbortSignal,
): Promise<Disposable> {
  const keyOf = ({ pool, project, name }: CustomAt): string => `${pool}/${project}/${name}`;
  const [first, second] = [...volumes].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)) as [CustomAt, CustomAt];
  const one = await holdVolume(services, first, action, signal);
  try {
    const other = keyOf(first) === keyOf(second) ? undefined : await holdVolume(services, second, action, signal);
    return {
      [Symbol.dispose]: () => {
        other?.release();
        one.release();
      },
    };
  } catch (error) {
    one.release();
    throw error;
  }
}

/** Throws "failed-precondition" while an instance that runs has the volume. */
export async function assertNotRunning(
  services: Pick<VolumeServices, 'runtime'>,
  reader: Reader,
  at: CustomAt,
  action: string,
): Promise<void> {
  const users = await instancesUsingVolume(reader, at);
  const running = users.find(({ project, name }) => services.runtime.status(containerId(project, name)) !== 'stopped');
  if (running)
    throw new ApiError(
      'failed-precondition',
      `Cannot ${action} storage volume "${at.name}" while it is used by running instances: stop "${running.name}" first`,
    );
}

/** Throws "failed-precondition" for a volume that holds files of the server itself. */
export async function assertNotServers(reader: Reader, at: CustomAt, reason: string): Promise<void> {
  const use = (await listVolumeUsers(reader)).find(user => user.kind === 'server' && isUserOf(user, at));
  if (!use) return;
  throw new ApiError(
    'failed-precondition',
    `Storage volume "${at.name}" is used by the server itself and ${reason}: unset "${use.name}" first`,
  );
}

/** URL path of a volume of any type. */
export function volumePath(pool: string, name: string, type = 'custom'): string {
  return `/1.0/storage-pools/${encodeURIComponent(pool)}/volumes/${type}/${encodeURIComponent(name)}`;
}

/** Tells a fact about a volume, or about a snapshot of it. */
export function tell(
  services: Pick<VolumeServices, 'events'>,
  action: string,
  at: CustomAt,
  { requestor }: ActionContext,
  more: { readonly snapshot?: string; readonly context?: Readonly<Record<string, unknown>> } = {},
): void {
  const inside = more.snapshot === undefined ? '' : `/snapshots/${encodeURIComponent(more.snapshot)}`;
  emitLifecycle(services.events, action, `${volumePath(at.pool, at.name)}${inside}`, {
    project: at.project,
    ...(requestor && { requestor }),
    ...(more.context && { context: more.context }),
  });
}

function segmentProblem(name: string): string | undefined {
  if (name === '.' || name === '..') return 'must not be "." or ".."';
  if (/[\s"'*:;<>?|\\]/.test(name) || hasControlCharacters(name))
    return 'must not hold white space, quotes or any of * : ; < > ? |';
  return name.startsWith('-') || name.startsWith('.') ? 'must not start with a dash or a dot' : undefined;
}
