import type { Log } from '#base/log.ts';
import type { StatePaths } from '../paths.ts';
import { takeFilterOver } from './checkpoint-files.ts';
import { filterFile, type ContainerRecord } from './container-record.ts';
import { Interceptors } from './interceptors.ts';
import { readSeccomp } from './lxc-helper.ts';
import type { ContainerSpec } from './runtime.ts';
import { ensureSeccompFiles, ownPolicyFile, type SeccompFiles } from './seccomp-policy.ts';

/** What containers may call: the filter that init and the commands which join it run under, and who acts on it. */
export class CallFilters {
  readonly #paths: StatePaths;
  readonly #log: Log;
  readonly #interceptors: Interceptors;
  #usual: Promise<SeccompFiles> | undefined;

  constructor(paths: StatePaths, sockets: string, log: Log) {
    this.#paths = paths;
    this.#log = log;
    this.#interceptors = new Interceptors(paths, sockets, log);
  }

  /** For a container that is about to start: the policy for liblxc, and where it sends what is intercepted. */
  async prepare(spec: ContainerSpec): Promise<{ readonly seccompPolicy: string; readonly interceptor?: string }> {
    const { id, intercepts = [] } = spec;
    const own = await ownPolicyFile(this.#paths.seccomp, id, spec.seccompPolicy);
    const seccompPolicy = own ?? (await this.#usualFiles()).policy;
    if (intercepts.length === 0) return { seccompPolicy };
    await this.#interceptors.start(id, intercepts);
    return { seccompPolicy, interceptor: this.#interceptors.socketOf(id) };
  }

  /** Keeps the filter of a container that has just started, afresh or from the state in a folder. */
  async remember({ id, initPid, ownFilter }: ContainerRecord, state?: string): Promise<void> {
    const run = this.#paths.run(id);
    // A restored init may run under filters of its own that are younger than the container's.
    if (state !== undefined) await takeFilterOver(state, run);
    else if (ownFilter) await readSeccomp(initPid, filterFile(run));
  }

  /** Watches what a running container needs. */
  keep(record: ContainerRecord): void {
    this.#interceptors.keep(record).catch((error: unknown) => {
      this.#log.error('Failed intercepting system calls; they fail with ENOSYS', { id: record.id, error });
    });
  }

  /** What a command that joins the container runs under. */
  async of(record: ContainerRecord): Promise<{ readonly seccompFilter: string; readonly interceptor?: string }> {
    const { id, ownFilter, intercepts = [] } = record;
    const seccompFilter = ownFilter ? filterFile(this.#paths.run(id)) : (await this.#usualFiles()).filter;
    return { seccompFilter, ...(intercepts.length > 0 && { interceptor: this.#interceptors.socketOf(id) }) };
  }

  /** Ends what served a container; its policy stays, to be looked at. */
  async clear(id: string): Promise<void> {
    await this.#interceptors.stop(id);
  }

  /** Removes all that is kept for a stopped container. */
  async forget(id: string): Promise<void> {
    await ownPolicyFile(this.#paths.seccomp, id, undefined);
  }

  /** Leaves running containers as they are. */
  close(): void {
    this.#interceptors.close();
  }

  async #usualFiles(): Promise<SeccompFiles> {
    this.#usual ??= ensureSeccompFiles(this.#paths.seccomp);
    this.#usual.catch(() => (this.#usual = undefined)); // the next one tries again
    return await this.#usual;
  }
}
