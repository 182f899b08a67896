import { ensureChains, removeChains } from './nftables/firewall.ts';
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
