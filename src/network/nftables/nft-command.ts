import { CommandError, runCommand } from '#base/run-command.ts';

/** Applies a script as one transaction: all of it or nothing (nft(8), -f). */
export async function applyRules(script: string): Promise<void> {
  await runCommand('nft', ['-f', '-'], { input: script, timeoutMs: 20_000 });
}

/** A chain as `nft -j list chains` prints it; hook, type and policy only for base chains. */
export interface ListedChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly type?: string;
  readonly policy?: string;
}

/** Chains of all tables of this network namespace, whoever owns them. */
export async function listChains(): Promise<readonly ListedChain[]> {
  const { stdout } = await runCommand('nft', ['-j', 'list', 'chains'], { timeoutMs: 20_000 });
  return membersNamed<ListedChain>(stdout, 'chain');
}

/** Number of chains, sets and maps that a table holds; undefined when there is no such table. */
export async function countMembers(family: string, table: string): Promise<number | undefined> {
  try {
    const { stdout } = await runCommand('nft', ['-j', 'list', 'table', family, table], { timeoutMs: 20_000 });
    return ['chain', 'set', 'map'].reduce((sum, kind) => sum + membersNamed(stdout, kind).length, 0);
  } catch (error) {
    if (error instanceof CommandError && /No such file or directory/.test(error.stderr)) return undefined;
    throw error;
  }
}

function membersNamed<T>(json: string, kind: string): readonly T[] {
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly Readonly<Record<string, T>>[] };
  return nftables.flatMap(member => (member[kind] === undefined ? [] : [member[kind]]));
}
