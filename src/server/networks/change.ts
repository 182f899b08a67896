import type { ConfigMap } from '#api/common.ts';
import type { Requestor } from '#api/event.ts';

/** How networks and the objects that belong to them are changed, and by whom. */
export interface Change<T> {
  /** "replace" as PUT, "merge" as PATCH */
  readonly mode: 'replace' | 'merge';
  /** Throws when the caller saw another state; called inside the transaction too. */
  readonly assertUnchanged: (before: T) => void;
  readonly requestor?: Requestor;
}

/** All of what is asked for: merging keeps members and config keys that the request does not name. */
export function requested<P extends { readonly config?: ConfigMap | null }>(
  before: NoInfer<P>,
  request: P,
  mode: Change<unknown>['mode'],
): P {
  if (mode === 'replace') return request;
  return { ...before, ...request, config: { ...before.config, ...request.config } };
}
