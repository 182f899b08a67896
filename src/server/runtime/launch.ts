import type { CheckpointPlaces } from './checkpoint-places.ts';
import { restoreProcesses } from './checkpoint-restore.ts';
import { type ContainerRecord, identify } from './container-record.ts';
import { startContainer, type StartPlace } from './lxc-helper.ts';
import type { ContainerSpec } from './runtime.ts';

/** Starts a container afresh or from its state; returns what finds it again. */
export async function launch(
  spec: ContainerSpec,
  place: StartPlace,
  places: CheckpointPlaces,
  signal?: AbortSignal,
): Promise<ContainerRecord> {
  const { state } = spec;
  const initPid =
    state === undefined
      ? await startContainer(place, signal)
      : await restoreProcesses(spec, state, places, place, signal);
  return identify(spec, initPid);
}
