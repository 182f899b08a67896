import type { ConfigMap } from './common.ts';
import type { MigrationTarget } from './instance.ts';

/** GET /1.0/storage-pools/{name} */
export interface StoragePool {
  readonly name: string;
  readonly description: string;
  readonly driver: string;
  readonly config: ConfigMap;
  readonly status: 'Created' | 'Pending' | 'Errored' | 'Unavailable' | 'Unknown';
  readonly locations: readonly string[];
  readonly used_by: readonly string[];
}

export interface StoragePoolsPost {
  readonly name: string;
  readonly driver: string;
  readonly description?: string;
  readonly config?: ConfigMap;
}

export interface StoragePoolPut {
  readonly description?: string;
  readonly config?: ConfigMap;
}

/** GET /1.0/storage-pools/{name}/resources; bytes */
export interface StoragePoolResources {
  readonly space: { readonly used: number; readonly total: number };
  readonly inodes: { readonly used: number; readonly total: number };
}

/** GET /1.0/storage-pools/{pool}/volumes/{type}/{name} */
export interface StorageVolume {
  readonly name: string;
  readonly type: 'container' | 'image' | 'custom' | 'virtual-machine';
  readonly content_type: 'filesystem';
  readonly description: string;
  readonly config: ConfigMap;
  readonly created_at: string;
  readonly location: string;
  readonly project: string;
  readonly used_by: readonly string[];
}

/** POST /1.0/storage-pools/{pool}/volumes[/{type}] */
export interface StorageVolumesPost {
  readonly name: string;
  readonly type?: string;
  readonly content_type?: string;
  readonly description?: string;
  readonly config?: ConfigMap;
  readonly source?: {
    /** "" for an empty volume, "copy", "migration" */
    readonly type?: string;
    /** VOLUME or VOLUME/SNAPSHOT */
    readonly name?: string;
    readonly pool?: string;
    readonly project?: string;
    readonly volume_only?: boolean;
    readonly refresh?: boolean;
    /** migration: who dials, and the peer's operation */
    readonly mode?: string;
    readonly certificate?: string;
    readonly operation?: string;
    readonly secrets?: Readonly<Record<string, string>>;
  };
}

/** POST /1.0/storage-pools/{pool}/volumes/{type}/{name}: rename, or move to another pool or project */
export interface StorageVolumePost {
  readonly name: string;
  readonly pool?: string;
  readonly project?: string;
  readonly migration?: boolean;
  readonly volume_only?: boolean;
  /** push to this server instead of waiting for it */
  readonly target?: MigrationTarget;
}

export interface StorageVolumePut {
  readonly description?: string;
  readonly config?: ConfigMap;
  /** name of a snapshot to restore; every other member is then ignored */
  readonly restore?: string;
}

/** GET …/volumes/{type}/{name}/snapshots/{snapshot} */
export interface StorageVolumeSnapshot {
  readonly name: string;
  readonly description: string;
  readonly content_type: 'filesystem';
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly config: ConfigMap;
}

/** GET …/volumes/{type}/{name}/state; bytes */
export interface StorageVolumeState {
  readonly usage: { readonly used: number; readonly total: number };
}
