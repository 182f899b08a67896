import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '#api/error.ts';
import { canHandOver, handOver } from './hand-over.ts';
import type { MethodName } from './plan.ts';
import { untilItAnswers } from './probe.ts';
import { ended, type MigrationRequest, Rounds } from './rounds.ts';

export interface Migrated {
  readonly method: MethodName;
  readonly rounds: number;
  readonly bytes: number;
  readonly seconds: number;
  /** from the request to stop until it answers at the target; undefined when it did not run */
  readonly downtimeMs: number | undefined;
}

/**
 * Moves an instance. The source runs until the target has everything; when anything fails before that, it runs on.
 * Servers that can do the last step themselves do it, so that it goes well whatever becomes of this client.
 */
export async function migrate(request: MigrationRequest): Promise<Migrated> {
  const began = performance.now();
  const rounds = new Rounds(request);
  const handsOver = request.running && (await canHandOver(request));
  let downtimeMs: number | undefined;
  try {
    if (request.method === 'near-live' && request.running) await rounds.untilShort();
    downtimeMs = handsOver ? await handOver(request, rounds) : await lastStep(request, rounds);
  } catch (error) {
    throw await rounds.giveUp(error);
  }
  await cleanUp(request, rounds);
  const seconds = (performance.now() - began) / 1000;
  return { method: request.method, rounds: rounds.count, bytes: rounds.bytes, seconds, downtimeMs };
}

/** Stops it here, brings the rest over and starts it there. A failure starts it here again. */
async function lastStep(request: MigrationRequest, rounds: Rounds): Promise<number | undefined> {
  const { target, newName, running, onStep } = request;
  const down = performance.now();
  try {
    if (running) {
      onStep('Stopping');
      await stop(request);
    }
    onStep('Bringing the rest over');
    await rounds.transfer();
    if (!running) return undefined;
    onStep('Starting at the target');
    await ended(target.instances.changeState(newName, { action: 'start', timeout: -1 }));
    await untilItAnswers(target, newName);
    return performance.now() - down;
  } catch (error) {
    if (running) await startAgain(request);
    throw error;
  }
}

async function stop({ source, name, stopTimeout }: MigrationRequest): Promise<void> {
  try {
    await ended(source.instances.changeState(name, { action: 'stop', timeout: stopTimeout }));
  } catch (error) {
    if ((await source.instances.get(name)).status === 'Stopped') return;
    if (ApiError.is(error, 'unavailable')) throw error;
    await ended(source.instances.changeState(name, { action: 'stop', force: true, timeout: 30 }));
  }
}

/** Only one of the two may run. The source may be away itself for a while: it is asked again for a minute. */
async function startAgain({ source, target, name, newName }: MigrationRequest): Promise<void> {
  await ended(target.instances.changeState(newName, { action: 'stop', force: true, timeout: 30 })).catch(
    () => undefined,
  );
  for (let attempt = 0; attempt < 60; attempt += 1) {
    try {
      if ((await source.instances.get(name)).status === 'Running') return;
      await ended(source.instances.changeState(name, { action: 'start', timeout: -1 }));
      return;
    } catch (error) {
      if (!ApiError.is(error, 'unavailable')) throw error;
      await sleep(1000);
    }
  }
}

/** It has arrived: what is left of the rounds, and the source, go. */
async function cleanUp({ source, target, name, newName, onStep }: MigrationRequest, rounds: Rounds): Promise<void> {
  onStep('Tidying up');
  for (const snapshot of await rounds.leftAt(target, newName))
    await ended(target.instances.snapshots(newName).delete(snapshot));
  if (await source.instances.find(name)) await ended(source.instances.delete(name));
}
