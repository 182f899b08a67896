/** Something that was deleted and can be brought back; ours, LXD has no trash. */
export interface TrashItem {
  readonly id: string;
  readonly type: 'instance' | 'volume';
  /** as it was called; many may bear one name */
  readonly name: string;
  /** of a volume: the one that holds it */
  readonly project: string;
  readonly pool: string;
  /** names, oldest first */
  readonly snapshots: readonly string[];
  readonly deleted_at: string;
  /** user name or fingerprint of the certificate */
  readonly deleted_by: string;
  readonly expires_at: string;
  /** bytes that it refers to, where the pool knows without walking it */
  readonly size?: number;
}

/** POST /1.0/trash/ID: back into its project and pool. */
export interface TrashPost {
  /** as it was called when absent */
  readonly name?: string;
}
