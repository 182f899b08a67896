import type { ConfigMap } from './common.ts';

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
