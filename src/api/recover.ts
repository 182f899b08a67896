import type { ConfigMap } from './common.ts';

/** A pool to look through, in POST /internal/recover/validate and /internal/recover/import. */
export interface RecoverPool {
  readonly name: string;
  /** for pools that the server does not know */
  readonly driver?: string;
  readonly description?: string;
  readonly config?: ConfigMap;
}

/** Answer of POST /internal/recover/validate; LXD's names, null for nothing. */
export interface RecoverValidation {
  readonly UnknownVolumes:
    | readonly {
        readonly name: string;
        readonly type: string;
        readonly snapshotCount: number;
        readonly project: string;
        readonly pool: string;
      }[]
    | null;
  readonly DependencyErrors: readonly string[] | null;
  /** ours: volumes that are passed over, and why */
  readonly SkippedVolumes: readonly SkippedVolume[] | null;
}

export interface SkippedVolume {
  readonly pool: string;
  readonly name: string;
  readonly reason: string;
}
