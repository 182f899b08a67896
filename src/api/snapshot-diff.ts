/** One entry of GET /1.0/instances/{name}/snapshots/{snapshot}/diff?to=&path= (ours): a file that became different. */
export interface SnapshotChange {
  /** in the guest */
  readonly path: string;
  /** renamed: it was at `from`, and may have changed as well */
  readonly kind: 'added' | 'removed' | 'changed' | 'renamed';
  readonly from?: string;
}
