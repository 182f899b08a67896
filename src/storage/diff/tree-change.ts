/** What differs between two states of a tree; paths are relative to its top. */
export interface TreeChange {
  readonly path: string;
  /** renamed: it was at `from`, and may have changed as well */
  readonly kind: 'added' | 'removed' | 'changed' | 'renamed';
  readonly from?: string;
}

export function sorted(changes: readonly TreeChange[]): readonly TreeChange[] {
  return [...changes].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
