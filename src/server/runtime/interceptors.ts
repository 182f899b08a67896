import { closeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '#base/log.ts';
import { kernel, type Kernel } from '#native/kernel.ts';
import type { StatePaths } from '../paths.ts';
import { processIdentity, type ContainerRecord } from './container-record.ts';
import { LastingProcess, type ProcessMark } from './lasting-process.ts';
import type { InterceptedCall } from './runtime.ts';
import { shortName } from './short-name.ts';

/** Milliseconds until a process that ended is started again, so that one which cannot live does not take all time. */
const restartMs = 1000;

/**
 * One process of `ctr-ns intercept` per container whose system calls are intercepted. It outlives the daemon and ends
 * with the container's monitor. While it is gone intercepted calls fail with ENOSYS, and the container goes on.
 */
export class Interceptors {
  readonly #paths: StatePaths;
  readonly #folder: string;
  readonly #log: Log;
  readonly #watched = new Map<string, Kernel.Watch>();

  /** `folder` is that of the sockets, which root alone may write. */
  constructor(paths: StatePaths, folder: string, log: Log) {
    this.#paths = paths;
    this.#folder = folder;
    this.#log = log;
  }

  socketOf(id: string): string {
    return path.join(this.#folder, `intercept.${shortName(id)}`);
  }

  /** For a container that is about to start: the process ends with the monitor that connects to it. */
  async start(id: string, calls: readonly InterceptedCall[]): Promise<void> {
    await this.#start(id, calls, { pid: 0, start: 0 });
  }

  /** Starts the process of a running container again whenever it ends. */
  async keep(record: ContainerRecord): Promise<void> {
    if (!record.intercepts?.length) return;
    const found = await this.#process(record.id).find();
    const { monitorPid: pid, monitorStart: start } = record;
    const mark = found ?? (await this.#start(record.id, record.intercepts, { pid, start }));
    const pidfd = kernel.pidfdOpen(mark.pid);
    const watch = kernel.pidfdWatch(pidfd, () => {
      this.#forget(record.id);
      setTimeout(() => void this.#again(record), restartMs).unref();
    });
    this.#watched.set(record.id, { stop: () => (watch.stop(), closeSync(pidfd)) });
  }

  /** Succeeds when there is none. */
  async stop(id: string): Promise<void> {
    this.#forget(id);
    await this.#process(id).stop();
    await rm(this.socketOf(id), { force: true });
  }

  /** Leaves the processes as they are. */
  close(): void {
    for (const id of this.#watched.keys()) this.#forget(id);
  }

  async #again(record: ContainerRecord): Promise<void> {
    if (processIdentity(record.monitorPid)?.start !== record.monitorStart) return;
    this.#log.warning('Intercepting system calls again, because the process for it ended', { id: record.id });
    try {
      await this.keep(record);
    } catch (error) {
      this.#log.error('Failed intercepting system calls; they fail with ENOSYS', { id: record.id, error });
    }
  }

  async #start(id: string, calls: readonly InterceptedCall[], monitor: ProcessMark): Promise<ProcessMark> {
    const args = [this.socketOf(id), String(monitor.pid), String(monitor.start), ...calls];
    return await this.#process(id).start('intercept', args);
  }

  #process(id: string): LastingProcess {
    return new LastingProcess(
      path.join(this.#paths.run(id), 'intercept'),
      path.join(this.#paths.logs(id), 'intercept.log'),
    );
  }

  #forget(id: string): void {
    this.#watched.get(id)?.stop();
    this.#watched.delete(id);
  }
}
