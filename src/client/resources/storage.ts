import type {
  StoragePool,
  StoragePoolPut,
  StoragePoolResources,
  StoragePoolsPost,
  StorageVolume,
  StorageVolumePut,
  StorageVolumeSnapshot,
  StorageVolumesPost,
  StorageVolumeState,
} from '#api/storage.ts';
import type { Transport } from '../transport.ts';
import { Collection } from './collection.ts';

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

  volumeSnapshots(pool: string, type: string, volume: string): Collection<StorageVolumeSnapshot> {
    return new Collection(this.transport, `${this.volumes(pool, type).path(volume)}/snapshots`);
  }

  async volumeState(pool: string, type: string, volume: string): Promise<StorageVolumeState> {
    const path = `${this.volumes(pool, type).path(volume)}/state`;
    return (await this.transport.call<StorageVolumeState>('GET', path)).metadata;
  }
}
