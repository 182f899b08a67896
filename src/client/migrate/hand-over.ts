import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '#api/error.ts';
import type { Instance } from '#api/instance.ts';
import type { Client } from '../client.ts';
import { untilItAnswers } from './probe.ts';
import { ended, type MigrationRequest, type Rounds } from './rounds.ts';

const extension = 'instance_hand_over';
const stateKey = 'volatile.migration.hand_over';
const patienceMs = 120_000;

export async function canHandOver({ source, target }: MigrationRequest): Promise<boolean> {
  const servers = await Promise.all([source.server.get(), target.server.get()]);
  return servers.every(({ value }) => value.api_extensions.includes(extension));
}

/**
 * The last step as the servers do it by themselves: they stop it at the source, bring over the rest and start it at the
 * target. Gives the milliseconds from asking for that until it answers there.
 */
export async function handOver(request: MigrationRequest, rounds: Rounds): Promise<number> {
  const { target, newName, stopTimeout, onStep } = request;
  const down = performance.now();
  let downtimeMs = 0;
  onStep('Handing over');
  try {
    await rounds.transfer({
      handOver: { timeout: stopTimeout },
      onArrival: async () => {
        await untilItAnswers(target, newName);
        downtimeMs = performance.now() - down;
      },
    });
  } catch (error) {
    onStep('Looking where it runs');
    if (!(await arrivedAfterAll(request))) throw error;
    await untilItAnswers(target, newName);
  }
  return downtimeMs || performance.now() - down;
}

/**
 * After a failure the source runs it again by itself, unless it had let go of it: then it runs where the target says.
 * True when that is there.
 */
async function arrivedAfterAll(request: MigrationRequest): Promise<boolean> {
  const { source, target, name, newName } = request;
  const here = await settled(source, name, isSettledHere);
  if (!here) return true;
  if (here.config[stateKey] !== 'released') return false;
  const there = await settled(target, newName, isSettledThere);
  if (there?.status === 'Running') return true;
  try {
    await ended(source.instances.changeState(name, { action: 'start', timeout: -1 }));
  } catch (error) {
    // The target may have told the source, which has started it by now.
    if ((await source.instances.get(name)).status !== 'Running') throw error;
  }
  return false;
}

function isSettledHere({ status, config }: Instance): boolean {
  return status === 'Running' ? config[stateKey] === undefined : config[stateKey] !== 'leaving';
}

function isSettledThere({ status, config }: Instance): boolean {
  return status === 'Running' || config[stateKey] === undefined;
}

/** The instance once its server has said what becomes of it; undefined when it is gone there. */
async function settled(
  client: Client,
  name: string,
  isSettled: (instance: Instance) => boolean,
): Promise<Instance | undefined> {
  const end = performance.now() + patienceMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const instance = await client.instances.find(name);
      if (!instance || isSettled(instance)) return instance;
    } catch (error) {
      if (!ApiError.is(error, 'unavailable')) throw error;
      last = error;
    }
    await sleep(250);
  }
  throw new ApiError(
    'unavailable',
    `Cannot find out which server runs instance "${name}": start it at the source if the target does not run it`,
    { cause: last },
  );
}
