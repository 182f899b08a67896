import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '#api/error.ts';
import type { Client } from '../client.ts';

const patienceMs = 60_000;
const intervalMs = 20;

/** Resolves when a program can be run in the instance; throws when that does not come to be. */
export async function untilItAnswers(client: Client, name: string): Promise<void> {
  const end = performance.now() + patienceMs;
  while (performance.now() < end) {
    if (await runsTrue(client, name)) return;
    await sleep(intervalMs);
  }
  throw new ApiError('unavailable', `Instance "${name}" was started but does not answer`);
}

async function runsTrue(client: Client, name: string): Promise<boolean> {
  try {
    const handle = await client.instances.exec(name, { command: ['true'], 'wait-for-websocket': false });
    const { metadata } = await handle.wait();
    // 127: there is no such program, but something in it has looked for one
    return metadata?.['return'] === 0 || metadata?.['return'] === 127;
  } catch {
    return false;
  }
}
