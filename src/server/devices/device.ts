import type { ConfigMap, DeviceMap } from '#api/common.ts';
import type { KeyTable } from '#base/config-schema.ts';
import type { Services } from '../services.ts';
import type { ContainerMount, ContainerNic, DeviceNumber, Idmap, NicPlug } from '../runtime/runtime.ts';
import type { UnixNode } from './unix-node.ts';

/** What the database knows that a device may name; read in the transaction that stores the device. */
export interface DeviceFacts {
  readonly networks: ReadonlyMap<string, { readonly type: string; readonly config: ConfigMap }>;
  readonly pools: ReadonlySet<string>;
  /** custom volumes that the project sees, as POOL/VOLUME; absent for profiles, whose volumes may come later */
  readonly volumes?: ReadonlySet<string>;
}

/** A device of one instance that is about to be used. */
export interface DeviceContext {
  readonly services: Pick<Services, 'database' | 'networks' | 'pools' | 'log'> & {
    readonly runtime: Pick<Services['runtime'], 'proxies'>;
  };
  /** containerId of the instance, e.g. "c1" */
  readonly instance: string;
  /** project of the instance */
  readonly project: string;
  /** name to publish in DNS */
  readonly hostName: string;
  readonly name: string;
  readonly options: DeviceMap;
  /** volatile.NAME.* without the prefix */
  readonly volatile: ConfigMap;
  /** folder of the instance for device nodes and mounts, below the state directory */
  readonly folder: string;
  /** of the container's run */
  readonly idmap: Idmap | undefined;
  /** Folders of the host that disks of the project must lie below; empty when it holds them to none. */
  diskFolders(): Promise<readonly string[]>;
}

/** What a device adds to the container. */
export interface RuntimePart {
  readonly nics: readonly ContainerNic[];
  readonly mounts: readonly ContainerMount[];
}

/** Something of a device that is mounted in the container. */
export interface MountedPart {
  readonly target: string;
  /** what the node there is, for device nodes */
  readonly number?: DeviceNumber;
}

/** How a type follows devices that come and go while the container runs. */
export interface Hotplug {
  applies(options: DeviceMap): boolean;
  /** files of the host whose coming and going matters */
  watched(options: DeviceMap): readonly string[];
  /** what is mounted and should not be any more, and the other way round */
  changes(
    context: DeviceContext,
  ): Promise<{ readonly gone: readonly MountedPart[]; readonly come: readonly UnixNode[] }>;
  plug(context: DeviceContext, node: UnixNode): Promise<ContainerMount>;
  unplugged(context: DeviceContext, target: string): Promise<void>;
}

export const nothing: RuntimePart = { nics: [], mounts: [] };

export interface DeviceProblem {
  /** absent when the device as a whole is wrong */
  readonly key?: string;
  readonly reason: string;
}

/** One type of device: it answers what to change, only the instance changes it. */
export interface DeviceType {
  readonly type: string;
  /** options beside `type` */
  readonly keys: KeyTable;
  /** Why options that are valid key by key are refused together. */
  problem(options: DeviceMap, facts: DeviceFacts): DeviceProblem | undefined;
  /** Volatile values that the device needs while it exists, such as an address: those that are not kept yet. */
  keep?(options: DeviceMap, kept: ConfigMap): ConfigMap;
  /** Volatile values of one run, such as a link name; removed when the instance stops. `taken` are names in the container. */
  perRun?(
    options: DeviceMap,
    kept: ConfigMap,
    taken: ReadonlySet<string>,
    networks: DeviceFacts['networks'],
  ): ConfigMap;
  /** The link that it has in the container, as it is unplugged. */
  link?(context: DeviceContext): NicPlug;
  /** Prepares the host; called before the container starts or when the device is plugged in. */
  start(context: DeviceContext): Promise<RuntimePart>;
  /** The container runs: what needs the links that its start has made. */
  started?(context: DeviceContext): Promise<void>;
  /** Takes over options of a device in use; only those whose key is `live` differ from `before`. */
  update?(context: DeviceContext, before: DeviceMap): Promise<void>;
  /** Undoes `start`; succeeds when there is nothing left. */
  stop(context: DeviceContext): Promise<void>;
  /** What is mounted in the container because of it. */
  mounted?(context: DeviceContext): Promise<readonly MountedPart[]>;
  /** Why it cannot be added to an instance now, although it may be in a profile. */
  missing?(options: DeviceMap): DeviceProblem | undefined;
  readonly hotplug?: Hotplug;
}
