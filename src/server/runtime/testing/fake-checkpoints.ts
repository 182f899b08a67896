import { ApiError } from '#api/error.ts';
import type { CheckpointNote, CheckpointRequest, Checkpoints, CheckpointSupport, ContainerSpec } from '../runtime.ts';

interface FakeContainers {
  /** what a running container was started with */
  specOf(id: string): ContainerSpec | undefined;
  end(id: string): void;
}

/** States of containers that have no processes. */
export class FakeCheckpoints implements Checkpoints {
  readonly #containers: FakeContainers;
  readonly #notes = new Map<string, CheckpointNote>();
  /** why the host cannot keep states */
  obstacle: string | undefined;
  /** the next state cannot be written */
  failNext = false;

  constructor(containers: FakeContainers) {
    this.#containers = containers;
  }

  support(): Promise<CheckpointSupport> {
    return Promise.resolve({
      version: '3.17.1',
      ...(this.obstacle !== undefined && { obstacle: this.obstacle }),
      tracksMemory: true,
    });
  }

  prepared(id: string): boolean {
    return this.#specOf(id).checkpointable === true;
  }

  async write(id: string, { folder, goesOn, written }: CheckpointRequest): Promise<void> {
    const { idmap, nics } = this.#specOf(id);
    if (this.failNext) {
      this.failNext = false;
      throw new ApiError('failed-precondition', `Failed keeping the state of "${id}": Can't dump`);
    }
    await written();
    this.#notes.set(folder, { idmap, nics: nics.map(nic => nic.name) });
    if (!goesOn) this.#containers.end(id);
  }

  note(folder: string): Promise<CheckpointNote | undefined> {
    return Promise.resolve(this.#notes.get(folder));
  }

  /** Throws when a container is to go on from a state that there is not. */
  assertState({ id, state }: ContainerSpec): void {
    if (state !== undefined && !this.#notes.has(state))
      throw new ApiError('failed-precondition', `There is no state of "${id}" to go on from`);
  }

  #specOf(id: string): ContainerSpec {
    const spec = this.#containers.specOf(id);
    if (spec) return spec;
    throw new ApiError('failed-precondition', `Instance "${id}" is not running; start it first`);
  }
}
