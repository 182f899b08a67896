import { runCommand } from '#base/run-command.ts';

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

function membersNamed<T>(json: string, kind: string): readonly T[] {
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly Readonly<Record<string, T>>[] };
  return nftables.flatMap(member => (member[kind] === undefined ? [] : [member[kind]]));
}
