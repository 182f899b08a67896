import { ApiError } from '#api/error.ts';
import type { UndoPost } from '#api/undo.ts';
import type { Services } from '#server/services.ts';
import { listChanges } from '#server/undo/list-changes.ts';
import { findUndoable, planUndo, undo } from '#server/undo/undo-last.ts';
import { accepted, type ApiRequest, type JsonSchema, type Reply, type Route, sync } from '../route.ts';
import { keptUntilFor } from '../undoable.ts';
import { wantsPlan } from './instance-operation.ts';
import { trashScope } from './trash.ts';

const text = { type: 'string' } as const;
const undoPost: JsonSchema = { type: 'object', properties: { name: text, change: text } };

export const undoRoutes: readonly Route[] = [
  { method: 'POST', path: '/1.0/undo', access: 'project', body: undoPost, handle: undoLast },
  { method: 'GET', path: '/1.0/instances/:name/changes', access: 'project', handle: list },
];

async function undoLast(services: Services, request: ApiRequest): Promise<Reply> {
  const { name, change } = (request.body ?? {}) as UndoPost;
  const { project, caller } = request;
  const scope = { project, name: name || undefined, maySee: await trashScope(services, request) };
  const undoable = await findUndoable(services, scope);
  const plan = await planUndo(services, undoable);
  if (wantsPlan(request)) return sync(plan);
  if (change !== undefined && change !== undoable.id)
    throw new ApiError('etag-mismatch', `Something else was changed since: the last is ${plan.summary}; look again`);
  // an undo can be undone, whatever the client asked for
  const kept = keptUntilFor(services, { query: { undoable: '1' } }, 'undo.snapshots');
  const { requestor } = caller;
  return accepted(
    services.operations.run({ description: 'Undoing a change', project, requestor }, async ({ signal }) => {
      await undo(services, undoable, { signal, requestor, ...kept });
      return { undone: plan.summary };
    }),
  );
}

async function list(services: Services, { project, params }: ApiRequest): Promise<Reply> {
  return sync(await listChanges(services, project, params['name'] ?? ''));
}
