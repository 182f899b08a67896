import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '#api/error.ts';
import { installedPath } from '#base/install-root.ts';
import type { Log } from '#base/log.ts';
import type { Kernel } from '#native/kernel.ts';
import type { StatePaths } from '../paths.ts';
import { ApparmorProfiles } from './apparmor.ts';
import { brandOf } from './brand.ts';
import { CallFilters } from './call-filters.ts';
import { Cgroups } from './cgroups.ts';
import { openConsole } from './console-session.ts';
import type { ContainerCounters } from './container-counters.ts';
import { ContainerLogs } from './container-logs.ts';
import { currentBootId, processIdentity, readRecord, readStopTarget, writeRecord } from './container-record.ts';
import { checkpointPlaces, type CheckpointPlaces } from './checkpoint-places.ts';
import { CriuCheckpoints, withinCheckpoints } from './checkpoints.ts';
import { FileServers } from './file-servers.ts';
import { askInit } from './init-signals.ts';
import { clearCgroups, clearPivots } from './leftovers.ts';
import { startValues } from './limits.ts';
import { cgroupName } from './lxc-config.ts';
import { launch } from './launch.ts';
import { NamespaceServer } from './namespace-server.ts';
import { writeConfig } from './write-config.ts';
import { linksOf, plugNic, unplugNic } from './container-nics.ts';
import { removePlaceholder } from './placeholder.ts';
import { ProxyProcesses } from './proxy-processes.ts';
import { RunningContainer } from './running-container.ts';
import type {
  ConsoleSession,
  ContainerMount,
  ContainerNic,
  ContainerSpec,
  ContainerStatus,
  ContainerUsage,
  DeviceNumber,
  ExecProcess,
  ExecRequest,
  FileServer,
  FilesTarget,
  ResourceLimits,
  NicPlug,
  Runtime,
  StoppedEvent,
} from './runtime.ts';
import { clearStaged, stageMounts } from './staged-mounts.ts';
import { StopNotices } from './stop-notices.ts';

/** Milliseconds until a container that does not go by itself is helped. */
const killDeadlineMs = 30_000;
/** Milliseconds that init gets until it listens to a request to reboot. */
const listenDeadlineMs = 30_000;

/** Runs containers with liblxc; what is done while they run goes to the kernel directly. */
export class LxcRuntime implements Runtime {
  readonly #paths: StatePaths;
  readonly #log: Log;
  readonly #cgroups = Cgroups.detect();
  readonly #brand: string;
  readonly #running = new Map<string, RunningContainer>();
  readonly #starting = new Set<string>();
  readonly #notices: StopNotices;
  readonly #files: FileServers;
  readonly #apparmor: ApparmorProfiles;
  readonly #filters: CallFilters;
  readonly proxies: ProxyProcesses;
  readonly checkpoints: CriuCheckpoints;
  #namespaces: Promise<NamespaceServer> | undefined;

  constructor(options: { readonly paths: StatePaths; readonly log: Log }) {
    this.#paths = options.paths;
    this.#log = options.log;
    this.#files = new FileServers(options.log);
    this.#notices = new StopNotices(options.log);
    this.proxies = new ProxyProcesses(options.paths, id => this.#get(id).record);
    this.#brand = brandOf(options.paths.root);
    this.#filters = new CallFilters(options.paths, this.#lxcPath, options.log);
    this.checkpoints = new CriuCheckpoints({
      cgroups: this.#cgroups,
      get: id => this.#get(id),
      places: id => this.#checkpointPlaces(id),
      end: id => this.kill(id),
      log: options.log,
    });
    this.#apparmor = new ApparmorProfiles(options.paths.apparmor, this.#brand);
  }

  async adopt(): Promise<readonly string[]> {
    const ids = await readdir(path.dirname(this.#paths.run('x'))).catch(() => []);
    for (const id of ids) await this.#adoptOne(id);
    clearPivots(this.#cgroups, this.#brand);
    await clearStaged(this.#lxcPath);
    return [...this.#running.keys()];
  }

  async start(given: ContainerSpec, signal?: AbortSignal): Promise<{ readonly initPid: number }> {
    const spec = withinCheckpoints(given);
    const { id } = spec;
    signal?.throwIfAborted();
    if (this.#running.has(id) || this.#starting.has(id)) {
      throw new ApiError('failed-precondition', `Instance "${id}" is already running`);
    }
    this.#starting.add(id);
    try {
      await this.#files.release(id);
      await using staged = await stageMounts(spec, this.#lxcPath);
      const configFile = await this.#prepare(staged.spec);
      const place = { lxcPath: this.#lxcPath, id, configFile, logFile: this.#logs(id).runtime };
      const record = await launch(spec, place, this.#checkpointPlaces(id), signal);
      await this.#filters.remember(record, spec.state);
      await writeRecord(this.#paths.run(id), record);
      signal?.throwIfAborted();
      const container = new RunningContainer(record, this.#cgroupOf(id), this.#cgroups);
      if (spec.state !== undefined) container.setLimits(spec.limits);
      this.#watch(container);
      return { initPid: record.initPid };
    } catch (error) {
      await this.#clear(id);
      throw error;
    } finally {
      this.#starting.delete(id);
    }
  }

  async shutdown(id: string, timeoutMs: number | undefined, signal?: AbortSignal): Promise<void> {
    const container = this.#running.get(id);
    if (!container) return;
    if (container.frozen) throw new ApiError('failed-precondition', `Instance "${id}" is frozen; unfreeze it first`);
    const over = new AbortController();
    askInit(container, 'powerOff', over.signal).catch(this.#failedAsking);
    try {
      if (await this.#endsWithin(id, timeoutMs, signal)) return;
    } finally {
      over.abort();
    }
    throw new ApiError('busy', `Instance "${id}" has not shut down in time; stop it with force`);
  }

  reboot(id: string): void {
    askInit(this.#get(id), 'reboot', AbortSignal.timeout(listenDeadlineMs)).catch(this.#failedAsking);
  }

  async kill(id: string): Promise<void> {
    const container = this.#running.get(id);
    if (!container) return;
    container.kill();
    if (await this.#endsWithin(id, killDeadlineMs)) return;
    throw new ApiError(
      'busy',
      `Instance "${id}" does not end although it was killed; a process of it waits for the kernel`,
    );
  }

  async freeze(id: string): Promise<void> {
    await this.#get(id).setFrozen(true);
  }

  async unfreeze(id: string): Promise<void> {
    await this.#get(id).setFrozen(false);
  }

  status(id: string): ContainerStatus {
    const frozen = this.#running.get(id)?.frozen;
    return frozen === undefined ? 'stopped' : frozen ? 'frozen' : 'running';
  }

  initPid(id: string): number | undefined {
    return this.#running.get(id)?.record.initPid;
  }

  containerOf(pid: number): string | undefined {
    const id = this.#cgroups.nameOf(pid, this.#cgroupOf(''));
    return id !== undefined && this.#running.has(id) ? id : undefined;
  }

  usage(id: string): ContainerUsage | undefined {
    return this.#running.get(id)?.usage();
  }

  counters(id: string): ContainerCounters | undefined {
    return this.#running.get(id)?.counters();
  }

  links(id: string): readonly Kernel.Link[] {
    return linksOf(this.initPid(id));
  }

  setLimits(id: string, limits: ResourceLimits): Promise<void> {
    this.#running.get(id)?.setLimits(limits);
    return Promise.resolve();
  }

  async exec(id: string, request: ExecRequest): Promise<ExecProcess> {
    const container = this.#get(id);
    const filter = await this.#filters.of(container.record);
    return await (await this.#helper()).exec({ ...container.target(), ...filter }, request);
  }

  async files(target: FilesTarget): Promise<FileServer> {
    const record = this.#running.get(target.id)?.record;
    const running = record && { initPid: record.initPid, startTime: record.initStart };
    return await this.#files.open({ ...target, running });
  }

  async leaveFiles(id: string): Promise<void> {
    await this.#files.release(id);
  }

  async console(id: string, columns: number, rows: number): Promise<ConsoleSession> {
    if (this.#get(id).record.checkpointable)
      throw new ApiError(
        'failed-precondition',
        `Instance "${id}" has no console while config key "migration.stateful" is true; use "exec"`,
      );
    return await openConsole(this.#lxcPath, id, columns, rows);
  }

  consoleLog(id: string): Promise<Buffer> {
    return this.#logs(id).readConsole();
  }

  clearConsoleLog(id: string): Promise<void> {
    return this.#logs(id).clearConsole();
  }

  async attachNic(id: string, nic: ContainerNic): Promise<void> {
    await plugNic(this.#get(id).record.initPid, nic);
  }

  async detachNic(id: string, nic: NicPlug): Promise<void> {
    await unplugNic(this.#running.get(id)?.record.initPid, nic);
  }

  async attachMount(id: string, mount: ContainerMount): Promise<void> {
    const container = this.#get(id);
    if (mount.device) container.setDevice(mount.device, true);
    await (await this.#helper()).mount(container.target(), mount);
  }

  async detachMount(id: string, target: string, device?: DeviceNumber): Promise<void> {
    const container = this.#running.get(id);
    if (!container) return;
    await (await this.#helper()).unmount(container.target(), target);
    if (!device) return;
    container.setDevice(device, false);
    await removePlaceholder(await this.files({ id, rootfs: '', idmap: container.record.idmap }), target);
  }

  async rename(id: string, newId: string): Promise<void> {
    await this.#files.release(id);
    await this.#logs(id).moveTo(this.#logs(newId));
  }

  async forget(id: string): Promise<void> {
    await this.#files.release(id);
    await this.#filters.forget(id);
    await this.#logs(id).remove();
    await rm(this.#paths.run(id), { recursive: true, force: true });
  }

  onStopped(listener: (event: StoppedEvent) => void): void {
    this.#notices.add(listener);
  }

  async close(): Promise<void> {
    for (const container of this.#running.values()) container.close();
    this.#running.clear();
    this.#filters.close();
    await this.#files.close();
    await (await this.#namespaces)?.close();
    clearPivots(this.#cgroups, this.#brand);
    await rmdir(this.#lxcPath).catch(() => undefined); // starting makes it again
  }

  /** Names liblxc's command sockets; guests' roots must be able to enter it, so it is apart from our state. */
  get #lxcPath(): string {
    return path.join('/run', this.#brand);
  }
  #logs(id: string): ContainerLogs {
    return new ContainerLogs(this.#paths, id);
  }
  #checkpointPlaces(id: string): CheckpointPlaces {
    const cgroup = this.#cgroups.unifiedPlace(this.#cgroupOf(id));
    return checkpointPlaces({ id, run: this.#paths.run(id), logs: this.#logs(id), lxcPath: this.#lxcPath, cgroup });
  }
  #cgroupOf(id: string): string {
    return cgroupName(this.#brand, 'container', id);
  }

  readonly #failedAsking = (error: unknown): void => this.#log.warning('Failed asking init to stop', { error });

  #get(id: string): RunningContainer {
    const container = this.#running.get(id);
    if (container) return container;
    throw new ApiError('failed-precondition', `Instance "${id}" is not running; start it first`);
  }

  async #helper(): Promise<NamespaceServer> {
    this.#namespaces ??= NamespaceServer.start(this.#log);
    return await this.#namespaces;
  }

  /** Writes what liblxc reads; returns the configuration's path. */
  async #prepare(spec: ContainerSpec): Promise<string> {
    const { id } = spec;
    const run = this.#paths.run(id);
    await this.#clear(id); // of a daemon that was killed in the middle of this
    await mkdir(run, { recursive: true, mode: 0o700 });
    await mkdir(this.#lxcPath, { recursive: true, mode: 0o711 });
    return await writeConfig(spec, this.#logs(id), {
      brand: this.#brand,
      ...(await this.#filters.prepare(spec)),
      apparmorProfile: await this.#apparmor.load(spec),
      postStopHook: [installedPath('native/build/ctr-ns'), 'hook', run],
      unifiedCgroups: this.#cgroups.unified,
      limits: startValues(spec.limits, this.#cgroups),
    });
  }

  #watch(container: RunningContainer): void {
    const { id } = container.record;
    this.#running.set(id, container);
    this.#filters.keep(container.record);
    void container.ended.then(async () => {
      try {
        await this.#finish(container);
      } catch (error) {
        this.#log.error('Failed cleaning up after a container', { id, error });
      }
    });
  }

  /** The monitor is gone; usually all else went before it. */
  async #finish(container: RunningContainer): Promise<void> {
    const { id } = container.record;
    container.signal(9); // a monitor that was killed leaves its container behind
    const reboot = !container.killed && readStopTarget(this.#paths.run(id)) === 'reboot';
    await this.#clear(id);
    container.close();
    await this.#files.release(id);
    this.#running.delete(id);
    this.#notices.tell({ id, reboot });
  }

  /** True when the container is gone; false when the time is over first. */
  async #endsWithin(id: string, timeoutMs = 2 ** 31 - 1, signal?: AbortSignal): Promise<boolean> {
    const container = this.#running.get(id);
    if (!container) return true;
    const over = new AbortController();
    const waits = sleep(timeoutMs, undefined, {
      signal: signal ? AbortSignal.any([over.signal, signal]) : over.signal,
    });
    try {
      await Promise.race([container.ended, waits]);
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      over.abort();
      waits.catch(() => undefined);
    }
    if (processIdentity(container.record.monitorPid)?.start === container.record.monitorStart) return false;
    while (this.#running.get(id) === container) await sleep(1);
    return true;
  }

  /** Removes what is left of a container that ended or never started: processes, cgroups, the run folder. */
  async #clear(id: string): Promise<void> {
    await clearCgroups(this.#cgroups, this.#brand, id);
    await this.#filters.clear(id);
    await this.#apparmor.unload(id);
    await rm(this.#paths.run(id), { recursive: true, force: true });
  }

  async #adoptOne(id: string): Promise<void> {
    const record = await readRecord(this.#paths.run(id));
    try {
      if (record && record.bootId === currentBootId() && record.id === id) {
        this.#watch(new RunningContainer(record, this.#cgroupOf(id), this.#cgroups));
        return;
      }
    } catch {
      // ended while no daemon watched
    }
    const reboot = readStopTarget(this.#paths.run(id)) === 'reboot';
    const sameBoot = record?.bootId === currentBootId();
    if (!record) this.#log.warning('Removing what is left of a start that was not finished', { id });
    await this.#clear(id);
    if (sameBoot) setImmediate(() => this.#notices.tell({ id, reboot }));
  }
}
