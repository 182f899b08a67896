import { closeSync, existsSync, openSync, readFileSync, readlinkSync, readSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '#api/error.ts';
import { kernel, type Kernel } from '#native/kernel.ts';
import { processesIn, type Cgroups, type Hierarchy } from './cgroups.ts';
import { processIdentity, type ContainerRecord } from './container-record.ts';
import { type ContainerCounters, readCounters } from './container-counters.ts';
import { deviceRule, usualDevices } from './device-rules.ts';
import { cgroupValues } from './limits.ts';
import type { NamespaceTarget } from './namespace-server.ts';
import type { ContainerUsage, DeviceNumber, ResourceLimits } from './runtime.ts';

/** Milliseconds between looks at a freezer that takes its time. */
const freezerPollMs = 5;
const freezerDeadlineMs = 10_000;
const sigkill = 9;
/** Bytes; memory.stat and the counts of some hundred CPUs fit. */
const longestFile = 16_384;

/** A container that runs: its processes and cgroups. Open from its start until `close`. */
export class RunningContainer {
  readonly record: ContainerRecord;
  /** settles when the supervising process is gone, and with it the container's links and cgroups */
  readonly ended: Promise<void>;
  /** the daemon killed it, so that it does not start again even if its init asked for that meanwhile */
  killed = false;
  readonly #init: number;
  readonly #monitor: number;
  readonly #watch: Kernel.Watch;
  readonly #cgroups: Cgroups;
  readonly #directories: ReadonlyMap<Hierarchy, string>;
  readonly #files = new Map<string, number | undefined>();

  /** Throws when the processes of the record are gone, even if others have their numbers now. */
  constructor(record: ContainerRecord, cgroupName: string, cgroups: Cgroups) {
    this.record = record;
    this.#cgroups = cgroups;
    this.#init = openProcess(record.initPid, record.initStart);
    try {
      this.#directories = cgroups.directoriesOf(record.initPid, cgroupName);
      this.#monitor = openProcess(record.monitorPid, record.monitorStart);
    } catch (error) {
      closeSync(this.#init);
      throw error;
    }
    let told = (): void => undefined;
    this.ended = new Promise(resolve => (told = resolve));
    this.#watch = kernel.pidfdWatch(this.#monitor, told);
  }

  /** What a helper must know to enter it. */
  target(): NamespaceTarget {
    const { initPid, initStart, idmap } = this.record;
    return { initPid, startTime: initStart, cgroups: [...this.#directories.values()], idmap };
  }

  get frozen(): boolean {
    const v1 = this.#read('freezer', 'freezer.state');
    if (v1 !== undefined) return v1.startsWith('FROZEN');
    return /^frozen 1$/m.test(this.#read('freezer', 'cgroup.events') ?? '');
  }

  /** Freezes or thaws, and waits until all of it is so. */
  async setFrozen(frozen: boolean): Promise<void> {
    const v1 = this.#cgroups.versionOf('freezer') === 1;
    const [file, value] = v1 ? ['freezer.state', frozen ? 'FROZEN' : 'THAWED'] : ['cgroup.freeze', frozen ? '1' : '0'];
    this.#write('freezer', file, value);
    const deadline = Date.now() + freezerDeadlineMs;
    while (this.frozen !== frozen) {
      if (Date.now() > deadline) {
        // Half frozen is worse than running.
        if (frozen) this.#write('freezer', file, v1 ? 'THAWED' : '0');
        throw new ApiError(
          'busy',
          `Failed ${frozen ? 'freezing' : 'unfreezing'} "${this.record.id}": some of its processes do not react`,
        );
      }
      await sleep(freezerPollMs);
    }
  }

  usage(): ContainerUsage {
    const number = (controller: string, v1: string, v2: string): number => {
      const text = this.#read(controller, this.#cgroups.versionOf(controller) === 2 ? v2 : v1) ?? '0';
      return text.startsWith('max') ? Infinity : Number(text);
    };
    const memoryBytes = number('memory', 'memory.usage_in_bytes', 'memory.current');
    return {
      memoryBytes,
      memoryPeakBytes: number('memory', 'memory.max_usage_in_bytes', 'memory.peak'),
      memoryLimitBytes: Math.min(totalmem(), number('memory', 'memory.limit_in_bytes', 'memory.max')),
      swapBytes: this.#swapBytes(memoryBytes),
      cpuNs: this.#cpuNs(),
      processes: number('pids', 'pids.current', 'pids.current'),
    };
  }

  counters(): ContainerCounters {
    return readCounters({
      read: (controller, file) => this.#read(controller, file),
      versionOf: controller => this.#cgroups.versionOf(controller),
      deviceName: blockDeviceName,
    });
  }

  setLimits(limits: ResourceLimits): void {
    if (limits.cpu?.cpus === undefined) this.#useAllCpus();
    for (const { controller, file, value, optional } of cgroupValues(limits, this.#cgroups)) {
      const directory = this.#directory(controller);
      if (directory === undefined || (optional && !existsSync(path.join(directory, file)))) continue;
      this.#write(controller, file, value);
    }
  }

  /** Lets the container use a device, or not any more. cgroup v2 has no such file, and no rule for what is mounted. */
  setDevice(device: DeviceNumber, allowed: boolean): void {
    const rule = deviceRule(device);
    if (this.#cgroups.versionOf('devices') !== 1 || usualDevices.includes(rule)) return;
    this.#write('devices', allowed ? 'devices.allow' : 'devices.deny', rule);
  }

  /** v1 takes no "as above", so what stands above is copied. */
  #useAllCpus(): void {
    const directory = this.#directory('cpuset');
    if (directory === undefined) return;
    const v1 = this.#cgroups.versionOf('cpuset') === 1;
    const cpus = v1 ? readFileSync(path.join(directory, '..', 'cpuset.cpus'), 'utf8').trim() : '';
    this.#write('cpuset', 'cpuset.cpus', `${cpus}\n`);
  }

  /** Sends a signal to init; does nothing when it is gone. */
  signal(signal: number): void {
    try {
      kernel.pidfdSendSignal(this.#init, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Kills every process, the guest's through its init. */
  kill(): void {
    this.killed = true;
    this.signal(sigkill);
    // On v1 a frozen process does not even die.
    if (this.frozen) void this.setFrozen(false).catch(() => undefined);
  }

  /** Processes that are left; empty when its cgroups are gone. */
  get processes(): readonly number[] {
    return [...this.#directories.values()].flatMap(processesIn);
  }

  /** Stops watching. The container goes on. */
  close(): void {
    this.#watch.stop();
    for (const file of this.#files.values()) if (file !== undefined) closeSync(file);
    this.#files.clear();
    closeSync(this.#init);
    closeSync(this.#monitor);
  }

  #swapBytes(memoryBytes: number): number {
    const swap = this.#read('memory', 'memory.swap.current');
    if (swap !== undefined) return Number(swap);
    const both = this.#read('memory', 'memory.memsw.usage_in_bytes');
    return both === undefined ? 0 : Math.max(0, Number(both) - memoryBytes);
  }

  #cpuNs(): number {
    const v1 = this.#read('cpuacct', 'cpuacct.usage');
    if (v1 !== undefined) return Number(v1);
    return 1000 * Number(/^usage_usec (\d+)$/m.exec(this.#read('cpu', 'cpu.stat') ?? '')?.[1] ?? 0);
  }

  #directory(controller: string): string | undefined {
    for (const [hierarchy, directory] of this.#directories) {
      if (hierarchy.controllers.includes(controller)) return directory;
    }
    return undefined;
  }

  #write(controller: string, file: string, value: string): void {
    const directory = this.#directory(controller);
    if (directory === undefined) throw new ApiError('unsupported', `The host has no "${controller}" cgroup controller`);
    writeFileSync(path.join(directory, file), value);
  }

  /** Text of a cgroup file, kept open because opening costs most of a read; undefined when there is none. */
  #read(controller: string, name: string): string | undefined {
    const key = `${controller}/${name}`;
    if (!this.#files.has(key)) {
      const directory = this.#directory(controller);
      this.#files.set(key, directory === undefined ? undefined : openIfThere(path.join(directory, name)));
    }
    const file = this.#files.get(key);
    if (file === undefined) return undefined;
    try {
      const buffer = Buffer.allocUnsafe(longestFile);
      return buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0));
    } catch {
      return undefined; // ENODEV: the cgroup is being removed
    }
  }
}

/** Name of a block device, from the link /sys/dev/block/MAJOR:MINOR. */
function blockDeviceName(number: string): string {
  try {
    return path.basename(readlinkSync(`/sys/dev/block/${number}`));
  } catch {
    return number;
  }
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch {
    return undefined;
  }
}

/** A pidfd of exactly the process that had this number at `start`. */
function openProcess(pid: number, start: number): number {
  const pidfd = kernel.pidfdOpen(pid);
  if (processIdentity(pid)?.start === start) return pidfd;
  closeSync(pidfd);
  throw new ApiError('not-found', `Process ${String(pid)} is gone`);
}
