import { runCommand } from '#base/run-command.ts';
import { listOf } from './checks.ts';

/** Subnets of a key such as "ipv4.routes". */
export function subnetsOf(value: string | undefined): readonly string[] {
  return value ? listOf(value) : [];
}

/** Has these subnets routed to a link of the host. Their protocol is not that of routes of networks, which tend theirs. */
export async function addRoutes(link: string, subnets: readonly string[]): Promise<void> {
  await ip(subnets.map(subnet => `route replace ${subnet} dev ${link} proto boot`));
}

/** Succeeds when they are gone, and when the link is. */
export async function removeRoutes(link: string, subnets: readonly string[]): Promise<void> {
  await ip(
    subnets.map(subnet => `route del ${subnet} dev ${link} proto boot`),
    { force: true },
  );
}

/** Runs commands of ip(8) in one go. They are ours, of checked values; with `force`, those that fail are passed over. */
export async function ip(lines: readonly string[], { force = false } = {}): Promise<void> {
  if (lines.length === 0) return;
  const run = runCommand('ip', [...(force ? ['-force'] : []), '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    timeoutMs: 10_000,
  });
  await (force ? run.catch(() => undefined) : run);
}
