import { ApiError } from '#api/error.ts';
import type { InstanceStatus } from '#api/instance.ts';
import type { HeldLock, KeyedLock } from '#base/keyed-lock.ts';
import type { ContainerStatus } from '../runtime/runtime.ts';

/** What may be under way with an instance; the word is the lock's action. */
export type InstanceActivity =
  | 'create'
  | 'start'
  | 'stop'
  | 'restart'
  | 'freeze'
  | 'unfreeze'
  | 'update'
  | 'rename'
  | 'copy'
  | 'move'
  | 'refresh'
  | 'delete'
  | 'snapshot'
  | 'restore'
  | 'publish';

const doing: Readonly<Record<InstanceActivity, string>> = {
  create: 'it is being created',
  start: 'it is being started',
  stop: 'it is being stopped',
  restart: 'it is being restarted',
  freeze: 'it is being frozen',
  unfreeze: 'it is being unfrozen',
  update: 'its configuration is being changed',
  rename: 'it is being renamed',
  copy: 'it is being copied',
  move: 'it is being moved',
  refresh: 'it is being refreshed',
  delete: 'it is being deleted',
  snapshot: 'a snapshot of it is being made or deleted',
  restore: 'a snapshot of it is being restored',
  publish: 'an image is being made of it',
};

/** The kernel knows what runs and the lock knows what is under way; the row only knows whether creation finished. */
export function statusOf(ready: boolean, held: string | undefined, kernel: ContainerStatus): InstanceStatus {
  if (!ready) return held === undefined ? 'Error' : 'Stopped';
  if (kernel === 'frozen') return 'Frozen';
  if (kernel === 'running') return held === 'stop' ? 'Stopping' : 'Running';
  return held === 'start' ? 'Starting' : 'Stopped';
}

/** States that an action may begin in, and what to say otherwise. */
const allowed: Readonly<Record<InstanceActivity, readonly ContainerStatus[]>> = {
  create: ['stopped'],
  start: ['stopped'],
  stop: ['running', 'frozen'],
  restart: ['running', 'frozen'],
  freeze: ['running'],
  unfreeze: ['frozen'],
  update: ['running', 'frozen', 'stopped'],
  rename: ['stopped'],
  copy: ['running', 'frozen', 'stopped'],
  move: ['stopped'],
  refresh: ['stopped'],
  delete: ['stopped'],
  snapshot: ['running', 'frozen', 'stopped'],
  restore: ['running', 'frozen', 'stopped'],
  publish: ['stopped'],
};

/** The state that an action leads to. */
const targets: Readonly<Partial<Record<InstanceActivity, ContainerStatus>>> = {
  start: 'running',
  stop: 'stopped',
  freeze: 'frozen',
};

const next: Readonly<Partial<Record<`${InstanceActivity}/${ContainerStatus}`, string>>> = {
  'start/frozen': 'unfreeze it instead',
  'rename/running': 'stop it first',
  'rename/frozen': 'stop it first',
  'move/running': 'stop it first',
  'move/frozen': 'stop it first',
  'refresh/running': 'stop it first',
  'refresh/frozen': 'stop it first',
  'delete/running': 'stop it first',
  'delete/frozen': 'stop it first',
};

/** Throws "failed-precondition" when the action cannot begin in this state. */
export function assertAllowed(name: string, ready: boolean, kernel: ContainerStatus, action: InstanceActivity): void {
  if (!ready && action !== 'delete')
    throw new ApiError(
      'failed-precondition',
      `Cannot ${action} instance "${name}": its creation did not finish; delete it`,
    );
  if (allowed[action].includes(kernel)) return;
  const hint = next[`${action}/${kernel}`];
  const state = `it is ${targets[action] === kernel ? 'already ' : ''}${kernel}`;
  throw new ApiError('failed-precondition', `Cannot ${action} instance "${name}": ${state}${hint ? `; ${hint}` : ''}`);
}

export function lockKey(project: string, name: string): string {
  return `instance/${project}/${name}`;
}

/** Waits this long for another action on the same instance before it is called busy. */
const patienceMs = 10_000;

/** Takes the instance for an action; throws "busy", saying what is under way, when it stays taken. */
export async function holdInstance(
  locks: KeyedLock,
  project: string,
  name: string,
  action: InstanceActivity,
  signal?: AbortSignal,
): Promise<HeldLock> {
  const key = lockKey(project, name);
  const free = locks.tryHold(key, action);
  if (free) return free;
  const patience = AbortSignal.timeout(patienceMs);
  try {
    return await locks.hold(key, action, signal ? AbortSignal.any([signal, patience]) : patience);
  } catch (error) {
    if (!patience.aborted || signal?.aborted) throw error;
    throw busy(name, action, locks.holder(key));
  }
}

export function busy(name: string, action: InstanceActivity, holder: string | undefined): ApiError {
  const reason = doing[holder as InstanceActivity] ?? 'something else is under way';
  return new ApiError('busy', `Cannot ${action} instance "${name}" now: ${reason}; try again`);
}
