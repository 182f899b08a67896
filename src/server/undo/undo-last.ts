import { ApiError } from '#api/error.ts';
import type { UndoPlan } from '#api/undo.ts';
import type { Reader } from '../database/database.ts';
import { findLastChange, type InstanceChangeRecord } from '../database/instance-changes.ts';
import { findInstance, getInstance } from '../database/instances.ts';
import { listSnapshotNames } from '../database/snapshots.ts';
import { listTrashRows, type TrashRecord } from '../database/trash.ts';
import type { ActionContext, InstanceServices } from '../instances/instance-services.ts';
import type { Plan } from '../instances/plan.ts';
import { restoreSnapshot } from '../instances/restore-snapshot.ts';
import { changeInstance, planChange, type UpdateRequest } from '../instances/update-instance.ts';
import { containerId } from '../paths.ts';
import { checkRestore, restoreTrash } from './restore-trash.ts';
import type { MaySee } from './trash-items.ts';

/** Whose last change is meant: of an instance or something in the trash, or of all in the project. */
export interface UndoScope {
  readonly project: string;
  readonly name: string | undefined;
  readonly maySee: MaySee;
}

/** What an undo turns back. */
export type Undoable =
  | { readonly kind: 'deletion'; readonly id: string; readonly trash: TrashRecord }
  | { readonly kind: 'change'; readonly id: string; readonly change: InstanceChangeRecord };

/** Throws "not-found" when there is nothing, "failed-precondition" for what cannot be undone. */
export async function findUndoable(
  { database }: Pick<InstanceServices, 'database'>,
  scope: UndoScope,
): Promise<Undoable> {
  const { project, name, maySee } = scope;
  return await database.read(async reader => {
    const found = name === undefined ? undefined : await findInstance(reader, project, name);
    const change = await findLastChange(reader, project, name);
    const trash = (await listTrashRows(reader)).findLast(
      row => row.state === 'kept' && maySee(row) && (name === undefined || row.name === name),
    );
    // an instance that is there stands before one of its name that was deleted
    if (trash && !found && (!change || trash.deletedAt > change.changedAt))
      return { kind: 'deletion', id: `trash-${trash.uuid}`, trash };
    if (!change) throw nothingToUndo(scope, found !== undefined, trash);
    await assertUndoable(reader, change);
    return { kind: 'change', id: `change-${String(change.id)}`, change };
  });
}

/** Throws "failed-precondition" where nothing was kept by which the change could be undone. */
async function assertUndoable(reader: Reader, change: InstanceChangeRecord): Promise<void> {
  const { action, project, instance, snapshot } = change;
  if (action === 'return')
    throw new ApiError(
      'failed-precondition',
      `Cannot undo the return of instance "${instance}" from the trash: delete it again with "lxd-like delete ${instance}"`,
    );
  if (action !== 'restore') return;
  const { id } = await getInstance(reader, project, instance);
  if (snapshot !== '' && (await listSnapshotNames(reader, id)).includes(snapshot)) return;
  const reason =
    snapshot === '' ? 'no snapshot was taken before it, see "undo.snapshots"' : `snapshot "${snapshot}" is gone`;
  throw new ApiError('failed-precondition', `Cannot undo the restore of instance "${instance}": ${reason}`);
}

function nothingToUndo({ project, name }: UndoScope, isThere: boolean, trash: TrashRecord | undefined): ApiError {
  if (name === undefined) return new ApiError('not-found', `Nothing to undo in project "${project}"`);
  if (!isThere)
    return new ApiError(
      'not-found',
      `Nothing to undo: there is no instance "${name}", and nothing of that name in the trash`,
    );
  const hint = trash ? `; one that was deleted comes back with "lxd-like trash restore ${name} NEWNAME"` : '';
  return new ApiError('failed-precondition', `Nothing to undo: instance "${name}" was not changed${hint}`);
}

/** What undoing it would do; checked as far as that is possible before. */
export async function planUndo(services: InstanceServices, undoable: Undoable): Promise<UndoPlan> {
  return { summary: summaryOf(undoable), change: undoable.id, plan: await stepsOf(services, undoable) };
}

/** Turns it back. A change that is undone is a change itself: the next undo brings it again. */
export async function undo(services: InstanceServices, undoable: Undoable, context: ActionContext): Promise<void> {
  if (undoable.kind === 'deletion') {
    await restoreTrash(services, undoable.trash.uuid, undoable.trash.name, context);
    return;
  }
  const { action, project, instance, snapshot } = undoable.change;
  if (action === 'restore') await restoreSnapshot(services, project, instance, { name: snapshot }, context);
  else await changeInstance(services, project, instance, backTo(undoable.change), context);
}

async function stepsOf(services: InstanceServices, undoable: Undoable): Promise<Plan> {
  if (undoable.kind === 'deletion') {
    const { type, name, pool, content } = undoable.trash;
    await checkRestore(services, undoable.trash, name);
    const detail = `in storage pool "${pool}", with ${String(content.snapshots.length)} snapshots`;
    return [{ action: 'create', object: `${type} "${name}"`, detail }];
  }
  const { action, project, instance, snapshot } = undoable.change;
  if (action !== 'restore') return await planChange(services, project, instance, backTo(undoable.change));
  const object = `instance "${instance}"`;
  const runs = services.runtime.status(containerId(project, instance)) !== 'stopped';
  return [
    ...(runs ? [{ action: 'stop', object, detail: '' } as const] : []),
    { action: 'change', object, detail: `files and config of snapshot "${snapshot}"` },
    ...(runs ? [{ action: 'start', object, detail: '' } as const] : []),
  ];
}

function backTo({ before }: InstanceChangeRecord): UpdateRequest {
  return { put: before, merge: false, check: () => undefined };
}

function summaryOf(undoable: Undoable): string {
  if (undoable.kind === 'deletion') {
    const { type, name, deletedAt, deletedBy } = undoable.trash;
    return `the deletion of ${type} "${name}"${by(deletedBy)} at ${deletedAt}`;
  }
  const { action, instance, changedAt, changedBy } = undoable.change;
  const what = action === 'restore' ? 'restore' : 'change of the configuration';
  return `the ${what} of instance "${instance}"${by(changedBy)} at ${changedAt}`;
}

function by(who: string): string {
  return who === '' ? '' : ` by ${who.slice(0, 12)}`;
}
