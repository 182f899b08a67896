import { parseAge, timeAfter } from '#base/age.ts';
import type { Services } from '../services.ts';
import type { ApiRequest } from './route.ts';

/** What is kept for an undo: the state before a restore, or what is deleted. */
export type Kept = 'undo.snapshots' | 'undo.trash';

/**
 * Until when the request's doing can be undone, for the context of its action; nothing when nothing is kept for that.
 * Clients ask with ?undoable=1 or =0; what holds for those that do not, such as LXD's, is the server's config.
 */
export function keptUntilFor(
  { settings }: Pick<Services, 'settings'>,
  { query }: Pick<ApiRequest, 'query'>,
  kept: Kept,
  now: Date = new Date(),
): { readonly keptUntil?: string } {
  const rule = settings.get(kept);
  const { undoable } = query;
  const asked = undoable === undefined ? rule === 'always' : undoable === '1' || undoable === 'true';
  const age = parseAge(settings.get('undo.expiry') ?? '');
  const keptUntil = age && timeAfter(age, now)?.toISOString();
  return asked && rule !== 'never' && keptUntil !== undefined ? { keptUntil } : {};
}
