import type { InstanceBackup } from './backup.ts';
import type { ConfigMap, DevicesMap } from './common.ts';

export type InstanceStatus = 'Running' | 'Stopped' | 'Frozen' | 'Error' | 'Starting' | 'Stopping' | 'Ready';

/** GET /1.0/instances/{name} */
export interface Instance {
  readonly name: string;
  readonly description: string;
  readonly status: InstanceStatus;
  readonly status_code: number;
  readonly created_at: string;
  readonly last_used_at: string;
  readonly location: string;
  readonly type: 'container';
  readonly project: string;
  readonly architecture: string;
  readonly ephemeral: boolean;
  readonly stateful: boolean;
  readonly profiles: readonly string[];
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
  readonly expanded_config: ConfigMap;
  readonly expanded_devices: DevicesMap;
}

/** The `recursion=2` form, and `recursion=1` of a single instance. */
export interface InstanceFull extends Instance {
  readonly backups: readonly InstanceBackup[] | null;
  readonly state: InstanceState;
  readonly snapshots: readonly InstanceSnapshot[] | null;
}

/** What a client may write: PUT and PATCH of an instance. */
export interface InstancePut {
  readonly architecture?: string;
  readonly config?: ConfigMap;
  readonly devices?: DevicesMap;
  readonly ephemeral?: boolean;
  readonly profiles?: readonly string[] | null;
  readonly stateful?: boolean;
  readonly description?: string;
  /** restore this snapshot; every other member is then ignored */
  readonly restore?: string;
}

export interface InstanceSource {
  readonly type: 'image' | 'copy' | 'none' | 'migration';
  readonly alias?: string;
  readonly fingerprint?: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly server?: string;
  readonly secret?: string;
  readonly protocol?: string;
  readonly certificate?: string;
  readonly mode?: 'pull' | 'push' | 'relay' | 'local';
  readonly operation?: string;
  readonly secrets?: Readonly<Record<string, string>>;
  /** copy: name of the instance or instance/snapshot */
  readonly source?: string;
  readonly project?: string;
  readonly live?: boolean;
  readonly instance_only?: boolean;
  readonly container_only?: boolean;
  readonly refresh?: boolean;
  readonly allow_inconsistent?: boolean;
  /** ours: start it when the source lets it go */
  readonly hand_over?: boolean;
}

/** POST /1.0/instances */
export interface InstancesPost extends Omit<InstancePut, 'restore'> {
  readonly name?: string;
  readonly source: InstanceSource;
  readonly type?: '' | 'container' | 'virtual-machine';
  readonly instance_type?: string;
  /** ours and Incus': start it in the same operation */
  readonly start?: boolean;
}

/** A peer's operation that waits for websockets */
export interface MigrationTarget {
  readonly certificate?: string;
  /** URL of the operation */
  readonly operation?: string;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** POST /1.0/instances/{name}: a new name, or with `migration` a move to another server, pool or project */
export interface InstancePost {
  readonly name?: string;
  readonly migration?: boolean;
  /** with the state of its processes */
  readonly live?: boolean;
  readonly instance_only?: boolean;
  readonly container_only?: boolean;
  readonly allow_inconsistent?: boolean;
  readonly pool?: string;
  readonly project?: string;
  /** push to this server instead of waiting for it */
  readonly target?: MigrationTarget;
  /** ours: stop it, within so many seconds, bring the rest over, and delete it when the target runs it */
  readonly hand_over?: { readonly timeout?: number };
}

export type InstanceAction = 'start' | 'stop' | 'restart' | 'freeze' | 'unfreeze';

/** PUT /1.0/instances/{name}/state */
export interface InstanceStatePut {
  readonly action: InstanceAction;
  /** seconds; -1 = for ever */
  readonly timeout?: number;
  readonly force?: boolean;
  readonly stateful?: boolean;
}

export interface InstanceStateNetworkAddress {
  readonly family: 'inet' | 'inet6';
  readonly address: string;
  readonly netmask: string;
  readonly scope: 'global' | 'link' | 'local';
}

export interface InstanceStateNetwork {
  readonly addresses: readonly InstanceStateNetworkAddress[];
  readonly counters: {
    readonly bytes_received: number;
    readonly bytes_sent: number;
    readonly packets_received: number;
    readonly packets_sent: number;
    readonly errors_received: number;
    readonly errors_sent: number;
    readonly packets_dropped_outbound: number;
    readonly packets_dropped_inbound: number;
  };
  readonly hwaddr: string;
  readonly host_name: string;
  readonly mtu: number;
  readonly state: 'up' | 'down';
  readonly type: 'broadcast' | 'loopback' | 'point-to-point' | 'unknown';
}

/** GET /1.0/instances/{name}/state; sizes in bytes, cpu in nanoseconds */
export interface InstanceState {
  readonly status: InstanceStatus;
  readonly status_code: number;
  readonly disk: Readonly<Record<string, { readonly usage: number; readonly total: number }>> | null;
  readonly memory: {
    readonly usage: number;
    readonly usage_peak: number;
    readonly total: number;
    readonly swap_usage: number;
    readonly swap_usage_peak: number;
  };
  readonly network: Readonly<Record<string, InstanceStateNetwork>> | null;
  readonly pid: number;
  readonly processes: number;
  readonly cpu: { readonly usage: number };
}

/** POST /1.0/instances/{name}/exec */
export interface InstanceExecPost {
  readonly command: readonly string[];
  readonly 'wait-for-websocket'?: boolean;
  readonly interactive?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly width?: number;
  readonly height?: number;
  readonly 'record-output'?: boolean;
  readonly user?: number;
  readonly group?: number;
  readonly cwd?: string;
}

/** POST /1.0/instances/{name}/console */
export interface InstanceConsolePost {
  readonly width?: number;
  readonly height?: number;
  readonly type?: string;
}

/** GET /1.0/instances/{name}/snapshots/{snapshot} */
export interface InstanceSnapshot {
  readonly name: string;
  readonly created_at: string;
  readonly last_used_at: string;
  readonly expires_at: string;
  readonly architecture: string;
  readonly ephemeral: boolean;
  readonly stateful: boolean;
  readonly profiles: readonly string[];
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
  readonly expanded_config: ConfigMap;
  readonly expanded_devices: DevicesMap;
  readonly size: number;
}

/** POST /1.0/instances/{name}/snapshots */
export interface InstanceSnapshotsPost {
  readonly name?: string;
  readonly stateful?: boolean;
  /** null or absent: as snapshots.expiry says; zero time: never */
  readonly expires_at?: string | null;
}
