import type { TrashItem, TrashPost } from '#api/trash.ts';
import type { Query, Transport } from '../transport.ts';
import { type Change, Collection } from './collection.ts';

/** What was deleted and can be brought back. */
export class Trash extends Collection<TrashItem> {
  constructor(transport: Transport) {
    super(transport, '/1.0/trash');
  }

  restore(id: string, request: TrashPost): Change {
    return this.change('POST', this.path(id), { body: request });
  }

  /** Deletes all of it for good, or what is in ?pool=. */
  empty(query: Query = {}): Change {
    return this.change('DELETE', '/1.0/trash', { query });
  }
}
