import { PassThrough, Readable } from 'node:stream';
import { ApiError } from '#api/error.ts';
import type { Link } from '#native/addon/index.d.ts';
import { type ContainerCounters, readCounters } from '../container-counters.ts';
import type {
  ConsoleSession,
  ContainerMount,
  ContainerNic,
  ContainerProxy,
  ContainerSpec,
  ContainerStatus,
  ContainerUsage,
  ExecProcess,
  ExecRequest,
  FileServer,
  FilesTarget,
  NicPlug,
  Proxies,
  ResourceLimits,
  Runtime,
  StoppedEvent,
} from '../runtime.ts';
import { FakeCheckpoints } from './fake-checkpoints.ts';
import { MemoryFiles } from './memory-files.ts';

/** What a command of a fake container does. */
export interface FakeOutcome {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly status: number;
}

interface FakeContainer {
  readonly spec: ContainerSpec;
  readonly initPid: number;
  readonly nics: Map<string, ContainerNic>;
  readonly mounts: Map<string, ContainerMount>;
  limits: ResourceLimits;
  frozen: boolean;
  consoleTaken: boolean;
}

/** Containers that outlive a fake runtime, as real ones outlive the daemon. */
export interface FakeHost {
  readonly containers: Map<string, FakeContainer>;
  readonly files: Map<string, MemoryFiles>;
  readonly consoleLogs: Map<string, Buffer>;
}

export const createFakeHost = (): FakeHost => ({ containers: new Map(), files: new Map(), consoleLogs: new Map() });

const memoryOfHost = 8 * 2 ** 30;
let lastPid = 1000;

/** A runtime without processes, for tests of what uses one. Passes the same contract suite as the real one. */
export class FakeRuntime implements Runtime {
  /** proxies that were started, as ID/NAME */
  readonly proxied = new Map<string, ContainerProxy>();
  readonly proxies: Proxies = {
    start: (id, name, proxy) => Promise.resolve(void this.proxied.set(`${id}/${name}`, proxy)),
    stop: (id, name) => Promise.resolve(void this.proxied.delete(`${id}/${name}`)),
  };
  readonly checkpoints = new FakeCheckpoints({
    specOf: id => this.host.containers.get(id)?.spec,
    end: id => this.endContainer(id),
  });
  readonly host: FakeHost;
  /** Makes the next start fail with this error. */
  failNextStart: Error | undefined;
  /** What init does when it is asked to power off; false ignores the request. */
  obeysShutdown = true;
  /** What commands do; "echo", "true" and what is unknown behave as usual unless it gives an outcome. */
  onExec: (id: string, request: ExecRequest) => FakeOutcome | undefined = () => undefined;
  readonly #listeners: ((event: StoppedEvent) => void)[] = [];
  readonly #known = new Set<string>();

  constructor(host: FakeHost = createFakeHost()) {
    this.host = host;
  }

  /** As if the container ended by itself. */
  endContainer(id: string, reboot = false): void {
    if (!this.host.containers.delete(id)) return;
    for (const listener of this.#listeners) listener({ id, reboot });
  }

  adopt(): Promise<readonly string[]> {
    for (const id of this.host.containers.keys()) this.#known.add(id);
    return Promise.resolve([...this.#known]);
  }

  start(spec: ContainerSpec, signal?: AbortSignal): Promise<{ readonly initPid: number }> {
    return Promise.resolve().then(() => {
      signal?.throwIfAborted();
      if (this.#find(spec.id)) throw new ApiError('failed-precondition', `Instance "${spec.id}" is already running`);
      const failure = this.failNextStart;
      this.failNextStart = undefined;
      if (failure) throw failure;
      this.checkpoints.assertState(spec);
      if (spec.rootfs.startsWith('/nonexistent')) throw new ApiError('internal', `Failed starting "${spec.id}"`);
      const initPid = ++lastPid;
      const nics = new Map(spec.nics.map(nic => [nic.hostName, nic]));
      const mounts = new Map(spec.mounts.map(mount => [mount.target, mount]));
      const { limits } = spec;
      this.host.containers.set(spec.id, { spec, initPid, nics, mounts, limits, frozen: false, consoleTaken: false });
      this.#known.add(spec.id);
      this.host.consoleLogs.set(spec.id, Buffer.from('init is up\n'));
      return { initPid };
    });
  }

  shutdown(id: string, _timeoutMs: number | undefined, signal?: AbortSignal): Promise<void> {
    return Promise.resolve().then(() => {
      signal?.throwIfAborted();
      const container = this.#find(id);
      if (container?.frozen) throw new ApiError('failed-precondition', `Instance "${id}" is frozen; unfreeze it first`);
      if (container && !this.obeysShutdown) throw new ApiError('busy', `Instance "${id}" has not shut down in time`);
      this.endContainer(id);
    });
  }

  reboot(id: string): void {
    this.#get(id);
    setImmediate(() => this.endContainer(id, true));
  }

  kill(id: string): Promise<void> {
    this.endContainer(id);
    return Promise.resolve();
  }

  freeze(id: string): Promise<void> {
    return this.#change(id, container => (container.frozen = true));
  }

  unfreeze(id: string): Promise<void> {
    return this.#change(id, container => (container.frozen = false));
  }

  status(id: string): ContainerStatus {
    const container = this.#find(id);
    return container ? (container.frozen ? 'frozen' : 'running') : 'stopped';
  }

  initPid(id: string): number | undefined {
    return this.#find(id)?.initPid;
  }

  containerOf(pid: number): string | undefined {
    return [...this.host.containers].find(([, container]) => container.initPid === pid)?.[0];
  }

  usage(id: string): ContainerUsage | undefined {
    const container = this.#find(id);
    if (!container) return undefined;
    const { memory } = container.limits;
    return {
      memoryBytes: 2 ** 20,
      memoryPeakBytes: 2 ** 21,
      memoryLimitBytes: (memory?.enforce === 'hard' ? memory.bytes : undefined) ?? memoryOfHost,
      swapBytes: 0,
      cpuNs: 1_000_000,
      processes: 1,
    };
  }

  counters(id: string): ContainerCounters | undefined {
    if (!this.#find(id)) return undefined;
    const texts: Readonly<Record<string, string>> = { 'pids.current': '1', 'memory.current': '1048576' };
    return readCounters({ read: (_, file) => texts[file], versionOf: () => 2, deviceName: number => number });
  }

  links(id: string): readonly Link[] {
    const container = this.#find(id);
    if (!container) return [];
    return [{ name: 'lo', hardwareAddress: '00:00:00:00:00:00' }, ...container.nics.values()].map(fakeLink);
  }

  setLimits(id: string, limits: ResourceLimits): Promise<void> {
    const container = this.#find(id);
    if (container) container.limits = limits;
    return Promise.resolve();
  }

  /** Limits that are in force, for tests. */
  limitsOf(id: string): ResourceLimits | undefined {
    return this.#find(id)?.limits;
  }

  /** Targets that something is mounted at, for tests. */
  mountsOf(id: string): readonly string[] {
    return [...(this.#find(id)?.mounts.keys() ?? [])];
  }

  exec(id: string, request: ExecRequest): Promise<ExecProcess> {
    return Promise.resolve().then(() => {
      const container = this.#get(id);
      if (container.frozen) throw new ApiError('failed-precondition', 'The instance is frozen; unfreeze it first');
      return fakeProcess(this.onExec(id, request) ?? usualOutcome(request));
    });
  }

  files(target: FilesTarget): Promise<FileServer> {
    let files = this.host.files.get(target.rootfs);
    if (!files) this.host.files.set(target.rootfs, (files = new MemoryFiles()));
    return Promise.resolve(files);
  }

  leaveFiles(): Promise<void> {
    return Promise.resolve();
  }

  console(id: string, _columns: number, _rows: number): Promise<ConsoleSession> {
    return Promise.resolve().then(() => {
      const container = this.#get(id);
      if (container.consoleTaken) throw new ApiError('busy', `The console of "${id}" is in use`);
      container.consoleTaken = true;
      const stream = new PassThrough();
      return {
        stream,
        resize: () => undefined,
        close: () => {
          container.consoleTaken = false;
          stream.destroy();
        },
      };
    });
  }

  consoleLog(id: string): Promise<Buffer> {
    return Promise.resolve(this.host.consoleLogs.get(id) ?? Buffer.alloc(0));
  }

  clearConsoleLog(id: string): Promise<void> {
    this.host.consoleLogs.delete(id);
    return Promise.resolve();
  }

  attachNic(id: string, nic: ContainerNic): Promise<void> {
    return this.#change(id, container => container.nics.set(nic.hostName, nic));
  }

  detachNic(id: string, nic: NicPlug): Promise<void> {
    this.#find(id)?.nics.delete(nic.hostName);
    return Promise.resolve();
  }

  attachMount(id: string, mount: ContainerMount): Promise<void> {
    return this.#change(id, container => container.mounts.set(mount.target, mount));
  }

  detachMount(id: string, target: string): Promise<void> {
    this.#find(id)?.mounts.delete(target);
    return Promise.resolve();
  }

  rename(id: string, newId: string): Promise<void> {
    const log = this.host.consoleLogs.get(id);
    this.host.consoleLogs.delete(id);
    if (log) this.host.consoleLogs.set(newId, log);
    return Promise.resolve();
  }

  forget(id: string): Promise<void> {
    this.host.consoleLogs.delete(id);
    return Promise.resolve();
  }

  onStopped(listener: (event: StoppedEvent) => void): void {
    this.#listeners.push(listener);
  }

  close(): Promise<void> {
    this.#known.clear();
    return Promise.resolve();
  }

  #find(id: string): FakeContainer | undefined {
    return this.#known.has(id) ? this.host.containers.get(id) : undefined;
  }

  #get(id: string): FakeContainer {
    const container = this.#find(id);
    if (container) return container;
    throw new ApiError('failed-precondition', `Instance "${id}" is not running; start it first`);
  }

  #change(id: string, change: (container: FakeContainer) => unknown): Promise<void> {
    return Promise.resolve().then(() => void change(this.#get(id)));
  }
}

function usualOutcome({ command: [program, ...args] }: ExecRequest): FakeOutcome {
  if (program === 'echo') return { stdout: `${args.join(' ')}\n`, status: 0 };
  return { status: program === 'true' ? 0 : 127 };
}

function fakeProcess({ stdout = '', stderr = '', status }: FakeOutcome): ExecProcess {
  return {
    pid: ++lastPid,
    stdout: Readable.from(stdout ? [Buffer.from(stdout)] : []),
    stderr: Readable.from(stderr ? [Buffer.from(stderr)] : []),
    stdin: new PassThrough().resume(),
    exited: Promise.resolve(status),
    resize: () => undefined,
    signal: () => undefined,
  };
}

function fakeLink(nic: Pick<ContainerNic, 'name' | 'hardwareAddress'>, index: number): Link {
  return {
    index: index + 1,
    name: nic.name,
    flags: 0x1043,
    mtu: 1500,
    hardwareAddress: nic.hardwareAddress ?? '',
    kind: nic.name === 'lo' ? '' : 'veth',
    peerIndex: 0,
    masterIndex: 0,
    operationalState: 'up',
    counters: {
      bytesReceived: 0,
      bytesSent: 0,
      packetsReceived: 0,
      packetsSent: 0,
      errorsReceived: 0,
      errorsSent: 0,
      packetsDroppedInbound: 0,
      packetsDroppedOutbound: 0,
    },
    addresses: [],
  };
}
