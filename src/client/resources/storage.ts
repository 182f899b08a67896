import type {
  StoragePool,
  StoragePoolPut,
  StoragePoolResources,
  StoragePoolsPost,
  StorageVolume,
} from '#api/storage.ts';
import type { ConfigMap } from '#api/common.ts';
import type { Transport } from '../transport.ts';
import { Collection } from './collection.ts';

export interface StorageVolumePut {
  readonly config?: ConfigMap;
  readonly description?: string;
  /** restore this snapshot; every other member is then ignored */
  readonly restore?: string;
}

export interface StorageVolumesPost extends StorageVolumePut {
  readonly name: string;
  readonly type?: string;
  readonly content_type?: string;
  readonly source?: Readonly<Record<string, unknown>>;
}

export class StoragePools extends Collection<StoragePool, StoragePoolsPost, StoragePoolPut> {
  constructor(transport: Transport) {
    super(transport, '/1.0/storage-pools');
  }

  async resources(name: string): Promise<StoragePoolResources> {
    return (await this.transport.call<StoragePoolResources>('GET', `${this.path(name)}/resources`)).metadata;
  }

  allVolumes(pool: string): Collection<StorageVolume> {
    return new Collection(this.transport, `${this.path(pool)}/volumes`);
  }

  volumes(pool: string, type: string): Collection<StorageVolume, StorageVolumesPost, StorageVolumePut> {
    return new Collection(this.transport, `${this.path(pool)}/volumes/${type}`);
  }
}
