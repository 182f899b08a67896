/** GET /1.0/instances/{name}/backups/{backup} */
export interface InstanceBackup {
  readonly name: string;
  readonly created_at: string;
  /** zero time: never */
  readonly expires_at: string;
  readonly instance_only: boolean;
  readonly container_only: boolean;
  readonly optimized_storage: boolean;
}

/** POST /1.0/instances/{name}/backups */
export interface InstanceBackupsPost {
  readonly name?: string;
  readonly expires_at?: string;
  readonly instance_only?: boolean;
  readonly container_only?: boolean;
  readonly optimized_storage?: boolean;
  readonly compression_algorithm?: string;
}

/** GET /1.0/storage-pools/{pool}/volumes/custom/{name}/backups/{backup} */
export interface VolumeBackup {
  readonly name: string;
  readonly created_at: string;
  /** zero time: never */
  readonly expires_at: string;
  readonly volume_only: boolean;
  readonly optimized_storage: boolean;
}

/** POST /1.0/storage-pools/{pool}/volumes/custom/{name}/backups */
export interface VolumeBackupsPost {
  readonly name?: string;
  readonly expires_at?: string;
  readonly volume_only?: boolean;
  readonly optimized_storage?: boolean;
  readonly compression_algorithm?: string;
}
