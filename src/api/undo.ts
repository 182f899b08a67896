import type { ConfigMap, DevicesMap } from './common.ts';

/** POST /1.0/undo; ours, LXD undoes nothing. */
export interface UndoPost {
  /** an instance, or something in the trash; absent = what was changed last in the project */
  readonly name?: string;
  /** from the plan: refused when something else was changed since */
  readonly change?: string;
}

/** What an undo would do: the answer to POST /1.0/undo?plan=1. */
export interface UndoPlan {
  /** what is undone, in one sentence */
  readonly summary: string;
  /** names the change */
  readonly change: string;
  readonly plan: readonly { readonly action: string; readonly object: string; readonly detail: string }[];
}

/** A change of an instance, newest first in GET /1.0/instances/NAME/changes; ours. */
export interface InstanceChange {
  readonly id: number;
  /** "return" is the way back from the trash */
  readonly action: 'update' | 'restore' | 'return';
  readonly changed_at: string;
  /** user name or fingerprint of the certificate */
  readonly changed_by: string;
  /** of a restore: the snapshot of what was there before, or "" */
  readonly snapshot: string;
  /** what it touched, such as "limits.memory" or "device eth0" */
  readonly changed: readonly string[];
  readonly before: {
    readonly description: string;
    readonly ephemeral: boolean;
    readonly profiles: readonly string[];
    readonly config: ConfigMap;
    readonly devices: DevicesMap;
  };
}
