import path from 'node:path';

/** Files and folders below the state directory, named as tools around LXD expect them. All absolute. */
export class StatePaths {
  readonly root: string;

  constructor(root: string) {
    this.root = path.resolve(root);
  }

  /** API socket */
  get socket(): string {
    return path.join(this.root, 'unix.socket');
  }
  get serverCertificate(): string {
    return path.join(this.root, 'server.crt');
  }
  get serverKey(): string {
    return path.join(this.root, 'server.key');
  }
  get localDatabase(): string {
    return path.join(this.root, 'database', 'local.db');
  }
  get globalDatabase(): string {
    return path.join(this.root, 'database', 'global', 'db.bin');
  }
  /** image files: FINGERPRINT and FINGERPRINT.rootfs */
  get images(): string {
    return path.join(this.root, 'images');
  }
  /** uploads of backups, and below it the backups of instances and volumes */
  get backups(): string {
    return path.join(this.root, 'backups');
  }
  /** backups of an instance, by their names */
  instanceBackups(containerId: string): string {
    return path.join(this.backups, 'instances', containerId);
  }
  /** backups of a custom volume, by their names */
  volumeBackups(pool: string, volume: string): string {
    return path.join(this.backups, 'custom', pool, volume);
  }
  /** loop files of pools: POOL.img */
  get disks(): string {
    return path.join(this.root, 'disks');
  }
  /** mount point of a pool */
  pool(name: string): string {
    return path.join(this.root, 'storage-pools', name);
  }
  /** dnsmasq files of a managed network */
  network(name: string): string {
    return path.join(this.root, 'networks', name);
  }
  /** logs of a container */
  logs(containerId: string): string {
    return path.join(this.root, 'logs', containerId);
  }
  /** what the runtime keeps of a container while it runs; emptied by nothing but its end */
  run(containerId: string): string {
    return path.join(this.root, 'run', containerId);
  }
  /** device nodes and mounts of a container */
  devices(containerId: string): string {
    return path.join(this.root, 'devices', containerId);
  }
  /** folder of the guests' socket, which containers have as /dev/lxd */
  get guestApi(): string {
    return path.join(this.root, 'devlxd');
  }
  /** seccomp policies */
  get seccomp(): string {
    return path.join(this.root, 'security', 'seccomp');
  }
  /** AppArmor profiles */
  get apparmor(): string {
    return path.join(this.root, 'security', 'apparmor');
  }
  /** links to the instance folders: NAME or PROJECT_NAME */
  container(containerId: string): string {
    return path.join(this.root, 'containers', containerId);
  }
}

/** Name of a container on this host: the instance's name, or PROJECT_NAME outside the default project. */
export function containerId(project: string, name: string): string {
  return project === 'default' ? name : `${project}_${name}`;
}

/** Name of a custom volume in its pool: PROJECT_VOLUME, in every project. */
export function customVolumeName(project: string, name: string): string {
  return `${project}_${name}`;
}

/** Name in its pool of a volume that is in the trash; no instance or custom volume can have it. */
export function trashVolumeName(uuid: string): string {
  return `trash:${uuid}`;
}

export function isTrashVolumeName(name: string): boolean {
  return name.startsWith('trash:');
}
