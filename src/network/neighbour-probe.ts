import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '#api/error.ts';
import { runCommand } from '#base/run-command.ts';
import { ip } from './nic-routes.ts';

/** Milliseconds that others get to answer. */
const deadlineMs = 500;

/** Asks at a link who has these addresses; throws "failed-precondition" when somebody answers. */
export async function probeAddresses(link: string, addresses: readonly string[]): Promise<void> {
  if (addresses.length === 0) return;
  const asked = addresses.map(address => `neighbour replace ${address} dev ${link} nud none use`);
  const forget = addresses.map(address => `neighbour del ${address} dev ${link}`);
  await ip(forget, { force: true });
  await ip(asked);
  try {
    const end = Date.now() + deadlineMs;
    while (Date.now() < end) {
      await sleep(50);
      const { stdout } = await runCommand('ip', ['-json', 'neighbour', 'show', 'dev', link, 'nud', 'reachable']);
      const answering = new Set((JSON.parse(stdout || '[]') as readonly { dst: string }[]).map(({ dst }) => dst));
      const taken = addresses.find(address => answering.has(address));
      if (taken !== undefined)
        throw new ApiError('failed-precondition', `IP address "${taken}" in use on parent network "${link}"`);
    }
  } finally {
    await ip(forget, { force: true });
  }
}
