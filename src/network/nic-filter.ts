import { ensureChains, removeChains } from './nftables/firewall.ts';
import { listChains } from './nftables/nft-command.ts';
import { nicChainNames, nicChains, type NicFilter } from './nftables/nic-rules.ts';

export type { NicFilter };

/** Puts a NIC's rules in place before it can send, whatever was there of it before. */
export async function ensureNicFilter(table: string, filter: NicFilter): Promise<void> {
  await ensureChains('bridge', table, nicChainNames(filter), nicChains(filter));
}

/** Succeeds when there is none. */
export async function removeNicFilter(table: string, nic: Pick<NicFilter, 'instance' | 'device'>): Promise<void> {
  await removeChains('bridge', table, nicChainNames(nic));
}

/** Those of the NICs whose chains are not there, or not all. */
export async function missingNicFilters<T extends Pick<NicFilter, 'instance' | 'device'>>(
  table: string,
  nics: readonly T[],
): Promise<readonly T[]> {
  const chains = await listChains();
  const present = new Set(
    chains.filter(chain => chain.family === 'bridge' && chain.table === table).map(chain => chain.name),
  );
  return nics.filter(nic => nicChainNames(nic).some(name => !present.has(name)));
}
