import type { Readable, Writable } from 'node:stream';
import type { Link } from '#native/addon/index.d.ts';
import type { Checkpoints } from './checkpoint.ts';
import type { ContainerCounters } from './container-counters.ts';
import type { FileOwner, FileServer, FilesTarget } from './files.ts';
import type { Idmap } from './idmap.ts';

export type { CheckpointNote, CheckpointRequest, Checkpoints, CheckpointSupport } from './checkpoint.ts';
export type {
  FileAccess,
  FileChange,
  FileEntry,
  FileHandle,
  FileOwner,
  FileServer,
  FilesTarget,
  NamedEntry,
  RestoreOptions,
  RestoreProgress,
  RestoredFiles,
} from './files.ts';
export type { Idmap } from './idmap.ts';

/** What the kernel says a container does. */
export type ContainerStatus = 'running' | 'frozen' | 'stopped';

/** A bind mount that the runtime puts into the container at start. */
export interface ContainerMount {
  /** absolute host path, made and owned by the daemon */
  readonly source: string;
  /** absolute path in the container */
  readonly target: string;
  readonly kind: 'file' | 'directory';
  readonly readOnly?: boolean;
  /** shift ids into the container's map (disk devices of ours); plain host files such as /dev/fuse are not */
  readonly idmapped?: boolean;
  /** start even when the target cannot be made */
  readonly optional?: boolean;
  /** bind nested mounts as well */
  readonly recursive?: boolean;
  readonly propagation?: Propagation;
  /** further words of mount(8) */
  readonly options?: readonly string[];
  /** it is this device node, which the container may then use */
  readonly device?: DeviceNumber;
}

/** Whether mounts below a mount reach its copies elsewhere (mount_namespaces(7)). */
export const propagations = [
  'private',
  'shared',
  'slave',
  'unbindable',
  'rprivate',
  'rshared',
  'rslave',
  'runbindable',
] as const;
export type Propagation = (typeof propagations)[number];

export interface DeviceNumber {
  readonly kind: 'char' | 'block';
  readonly major: number;
  readonly minor: number;
}

/** Which link a NIC is, so that it can be unplugged. */
export interface NicPlug {
  /** a veth pair, a link on top of a host's one, or a link of the host that moves into the container */
  readonly kind: 'veth' | 'macvlan' | 'physical';
  /** of a veth pair the host's end, else the link's name on the host */
  readonly hostName: string;
  /** in the container */
  readonly name: string;
  /** absent = as it is */
  readonly hardwareAddress?: string;
}

/** A NIC to plug in. */
export interface ContainerNic extends NicPlug {
  /** bridge that the host's end of a veth pair joins, if any */
  readonly bridge?: string;
  /** link of the host below a macvlan */
  readonly parent?: string;
  readonly mtu?: number;
  /** addresses with prefix length that it has from the start */
  readonly addresses?: readonly string[];
  /** default gateways, which need not be in a subnet of its addresses */
  readonly gateways?: readonly string[];
}

/** System calls that the host can make for a container which may not make them itself. */
export const interceptedCalls = ['mknod', 'setxattr', 'sched_setscheduler'] as const;
export type InterceptedCall = (typeof interceptedCalls)[number];

/** Everything the runtime must know to start a container. Values are validated; the renderer refuses line breaks again. */
export interface ContainerSpec {
  /** unique on this host: the instance name, or PROJECT_NAME outside the default project */
  readonly id: string;
  readonly hostName: string;
  /** e.g. "x86_64" */
  readonly architecture: string;
  /** absolute path of the root file system */
  readonly rootfs: string;
  readonly idmap: Idmap | undefined;
  /** ids on disk are the host's, not the container's own: the root file system is not mounted shifted */
  readonly hostIds?: boolean;
  readonly mounts: readonly ContainerMount[];
  readonly nics: readonly ContainerNic[];
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: ResourceLimits;
  /** allow nested containers: proc and sys are left writable for nested mounts */
  readonly nesting: boolean;
  /** what it may call, in liblxc's form; absent = as usual */
  readonly seccompPolicy?: string;
  /** what the policy passes on to the host; only for containers with an id map */
  readonly intercepts?: readonly InterceptedCall[];
  /** lines of raw.apparmor */
  readonly rawApparmor?: string;
  /** lines of raw.lxc, already checked */
  readonly rawConfig: string;
  /** the state of its processes can be kept: it has no console, and may not unshare what CRIU cannot put back */
  readonly checkpointable?: boolean;
  /** folder with the state that it goes on from, instead of a fresh start */
  readonly state?: string;
}

export interface ResourceLimits {
  readonly memory?: MemoryLimit;
  readonly cpu?: CpuLimit;
  readonly disk?: DiskLimit;
  /** most bytes by size of page, such as "2MB" */
  readonly hugePages?: Readonly<Record<string, number>>;
  readonly network?: NetworkPriority;
  /** most processes and threads */
  readonly processes?: number;
}

export interface MemoryLimit {
  readonly bytes?: number;
  /** hard: the kernel kills; soft: reclaimed first under pressure */
  readonly enforce: 'hard' | 'soft';
  readonly swap: boolean;
  /** 0 to 10: the lower, the later it is swapped out */
  readonly swapPriority?: number;
}

export interface CpuLimit {
  /** list for cpuset.cpus such as "0-1,3" */
  readonly cpus?: string;
  /** time per period, microseconds, of limits.cpu.allowance "25ms/100ms" */
  readonly quota?: { readonly timeUs: number; readonly periodUs: number };
  /** relative share in percent, of limits.cpu.allowance "50%" */
  readonly sharePercent?: number;
  /** 0 to 10: against others with the same share */
  readonly priority?: number;
}

export interface DiskLimit {
  /** 0 to 10: weight against others */
  readonly priority?: number;
  readonly throttles: readonly DiskThrottle[];
}

/** Most bytes and requests per second on one block device; what is absent is not limited. */
export interface DiskThrottle {
  /** such as "8:0" */
  readonly device: string;
  readonly readBytes?: number;
  readonly readRequests?: number;
  readonly writeBytes?: number;
  readonly writeRequests?: number;
}

/** Priority, 0 to 10, of packets that leave through these links of the host. */
export interface NetworkPriority {
  readonly priority: number;
  readonly links: readonly string[];
}

/** Usage as the cgroup counts it; bytes and nanoseconds. */
export interface ContainerUsage {
  readonly memoryBytes: number;
  readonly memoryPeakBytes: number;
  readonly memoryLimitBytes: number;
  readonly swapBytes: number;
  readonly cpuNs: number;
  readonly processes: number;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** ids inside the container */
  readonly uid: number;
  readonly gid: number;
  readonly cwd: string;
  /** a terminal of this size instead of three pipes */
  readonly terminal?: { readonly columns: number; readonly rows: number };
  /** /dev/null instead of three pipes: for a command whose output nobody asks for */
  readonly nullStdio?: boolean;
}

/** A process that runs inside a container. */
export interface ExecProcess {
  /** pid on the host */
  readonly pid: number;
  /** ends when the last writer closed its end; with a terminal it carries standard error too */
  readonly stdout: Readable;
  readonly stderr: Readable | undefined;
  /** ending it closes the program's standard input; with a terminal that sends nothing */
  readonly stdin: Writable;
  /** status as a shell shows it: 128 + signal, 127 not found, 126 not executable */
  readonly exited: Promise<number>;
  resize(columns: number, rows: number): void;
  /** sends a signal; does nothing when the process is gone */
  signal(number: number): void;
}

/** A console that was taken over; closing it lets others attach. */
export interface ConsoleSession {
  readonly stream: NodeJS.ReadWriteStream & { destroy(): void };
  resize(columns: number, rows: number): void;
  close(): void;
}

/** A container ended, by itself or on request. */
export interface StoppedEvent {
  readonly id: string;
  /** the guest asked for a reboot: the daemon starts it again from a fresh process */
  readonly reboot: boolean;
}

/** Connections that are passed on between the host and a container. */
export interface ContainerProxy {
  /** side that listens; the other one is connected to */
  readonly listener: 'host' | 'instance';
  /** addresses such as "tcp:192.0.2.1:80", "udp:[2001:db8::1]:53", "unix:/path" and "unix:@name" */
  readonly rules: readonly { readonly listen: string; readonly connect: string }[];
  /** send a PROXY line before each connection */
  readonly announces: boolean;
  /** of unix sockets that are made */
  readonly socket: FileOwner;
  /** whom the proxy becomes; absent = it stays root */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** Proxies of running containers. They outlive the daemon and end with their container. */
export interface Proxies {
  /** Resolves when it listens; "failed-precondition" when it cannot. */
  start(id: string, name: string, proxy: ContainerProxy): Promise<void>;
  /** Succeeds when there is none. */
  stop(id: string, name: string): Promise<void>;
}

/** Runs containers. Only this folder knows liblxc and the native helpers. */
export interface Runtime {
  readonly proxies: Proxies;
  readonly checkpoints: Checkpoints;
  /** Finds containers that ran before the daemon started and watches them again; returns their ids. Called once. */
  adopt(): Promise<readonly string[]>;
  /** Starts a container and returns when its init runs. On failure nothing of it is left running. */
  start(spec: ContainerSpec, signal?: AbortSignal): Promise<{ readonly initPid: number }>;
  /** Asks init to power off and waits; "busy" when it has not done so after `timeoutMs` (undefined = no limit). */
  shutdown(id: string, timeoutMs: number | undefined, signal?: AbortSignal): Promise<void>;
  /** Asks init to reboot in place (the stopped event with `reboot` follows). */
  reboot(id: string): void;
  /** Kills the container and waits until all of it is gone. Succeeds when it is not running. */
  kill(id: string): Promise<void>;
  freeze(id: string): Promise<void>;
  unfreeze(id: string): Promise<void>;
  /** From the kernel, without waiting. */
  status(id: string): ContainerStatus;
  /** Pid of init on the host, or undefined when stopped. */
  initPid(id: string): number | undefined;
  /** The running container that a process of the host's numbering is in; undefined when it is in none. */
  containerOf(pid: number): string | undefined;
  /** Usage of a running container, or undefined when it is stopped. */
  usage(id: string): ContainerUsage | undefined;
  /** What metrics tell of a running container, or undefined when it is stopped. */
  counters(id: string): ContainerCounters | undefined;
  /** Links of a running container; empty when it is stopped. */
  links(id: string): readonly Link[];
  /** Changes limits of a running container; does nothing when it is stopped. */
  setLimits(id: string, limits: ResourceLimits): Promise<void>;
  exec(id: string, request: ExecRequest): Promise<ExecProcess>;
  files(target: FilesTarget): Promise<FileServer>;
  /** Ends the process that serves the files of `id`, so that nothing holds their file system. Succeeds when there is none. */
  leaveFiles(id: string): Promise<void>;
  /** Takes the console; "busy" when somebody has it. */
  console(id: string, columns: number, rows: number): Promise<ConsoleSession>;
  /** Console output so far (of the last run when stopped); empty when there was none. */
  consoleLog(id: string): Promise<Buffer>;
  clearConsoleLog(id: string): Promise<void>;
  /** Plugs a NIC into a running container, by netlink. */
  attachNic(id: string, nic: ContainerNic): Promise<void>;
  /** Succeeds when the NIC is gone. */
  detachNic(id: string, nic: NicPlug): Promise<void>;
  /** Mounts into a running container. */
  attachMount(id: string, mount: ContainerMount): Promise<void>;
  /** Succeeds when nothing is mounted there. A device that was there may not be used any more, and its place goes. */
  detachMount(id: string, target: string, device?: DeviceNumber): Promise<void>;
  /** Renames what is kept for a stopped container (logs); succeeds when there is nothing. */
  rename(id: string, newId: string): Promise<void>;
  /** Removes what is kept for a stopped container (logs, run folder); succeeds when there is nothing. */
  forget(id: string): Promise<void>;
  /** Calls the listener for every container that ends, after all of it is gone. */
  onStopped(listener: (event: StoppedEvent) => void): void;
  /** Stops the daemon's helpers; containers keep running. */
  close(): Promise<void>;
}
