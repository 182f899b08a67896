import { ApiError } from '#api/error.ts';
import type { Log } from '#base/log.ts';
import { readCgroupTree } from './cgroup-tree.ts';
import type { Cgroups } from './cgroups.ts';
import { dumpProcesses } from './checkpoint-dump.ts';
import { describeCheckpoint, readCheckpoint } from './checkpoint-files.ts';
import type { CheckpointPlaces } from './checkpoint-places.ts';
import { linksOf } from './container-nics.ts';
import { listenToCriu } from './criu-actions.ts';
import { criuSupport } from './criu-support.ts';
import type { RunningContainer } from './running-container.ts';
import type { CheckpointNote, CheckpointRequest, Checkpoints, CheckpointSupport, ContainerSpec } from './runtime.ts';
import { usualPolicy } from './seccomp-policy.ts';

/**
 * CRIU cannot read what these make; a guest's systemd goes on without them when they fail with EPERM: programs of
 * cgroups, name spaces for host names and for mounts (clone flags in unshare(2)).
 */
const rules = `bpf errno 1
unshare errno 1 [0,0x04000000,SCMP_CMP_MASKED_EQ,0x04000000]
unshare errno 1 [0,0x00020000,SCMP_CMP_MASKED_EQ,0x00020000]
`;

/** The spec with a filter that keeps the container within what CRIU can read. */
export function withinCheckpoints(spec: ContainerSpec): ContainerSpec {
  if (!spec.checkpointable) return spec;
  return { ...spec, seccompPolicy: `${spec.seccompPolicy ?? usualPolicy}${rules}` };
}

/** Keeps the state of liblxc's containers by CRIU. */
export class CriuCheckpoints implements Checkpoints {
  readonly #cgroups: Cgroups;
  readonly #get: (id: string) => RunningContainer;
  readonly #places: (id: string) => CheckpointPlaces;
  readonly #end: (id: string) => Promise<void>;
  readonly #log: Log;
  #support: Promise<CheckpointSupport> | undefined;

  constructor(options: {
    readonly cgroups: Cgroups;
    readonly get: (id: string) => RunningContainer;
    readonly places: (id: string) => CheckpointPlaces;
    /** kills a container and waits until all of it is gone */
    readonly end: (id: string) => Promise<void>;
    readonly log: Log;
  }) {
    this.#cgroups = options.cgroups;
    this.#get = options.get;
    this.#places = options.places;
    this.#end = options.end;
    this.#log = options.log;
  }

  support(): Promise<CheckpointSupport> {
    this.#support ??= criuSupport(this.#cgroups.unified);
    return this.#support;
  }

  prepared(id: string): boolean {
    return this.#get(id).record.checkpointable === true;
  }

  async note(folder: string): Promise<CheckpointNote | undefined> {
    return await readCheckpoint(folder);
  }

  async write(id: string, { folder, goesOn, written }: CheckpointRequest): Promise<void> {
    const container = this.#get(id);
    const places = this.#places(id);
    const { initPid, idmap } = container.record;
    await using actions = await listenToCriu(places.steps, 'post-dump', async () => {
      const nics = linksOf(initPid).flatMap(({ name }) => (name === 'lo' ? [] : [name]));
      await describeCheckpoint(folder, places.run, { idmap, nics, cgroups: readCgroupTree(places.cgroup) });
      await written();
    });
    try {
      await dumpProcesses({ id, initPid, folder, places, goesOn, action: actions.program });
    } catch (error) {
      await this.#goOn(container);
      throw actions.failure ?? error;
    }
    if (!goesOn) await this.#end(id);
  }

  /** CRIU lets the processes go by itself, unless it was killed. */
  async #goOn(container: RunningContainer): Promise<void> {
    try {
      if (container.frozen) await container.setFrozen(false);
    } catch (error) {
      this.#log.error('Failed letting a container go on', { id: container.record.id, error });
      throw new ApiError('internal', `"${container.record.id}" stands still; unfreeze or stop it`, { cause: error });
    }
  }
}
