import { ensureChains, removeChains } from './nftables/firewall.ts';
import { proxyChainNames, proxyChains, type ProxyTranslation } from './nftables/proxy-rules.ts';

export type { ProxyTranslation };

/** Has the kernel translate the connections of a proxy device, whatever was there of it before. */
export async function ensureProxyTranslation(table: string, translation: ProxyTranslation): Promise<void> {
  await ensureChains('inet', table, proxyChainNames(translation), proxyChains(translation));
}

/** Succeeds when there is none. */
export async function removeProxyTranslation(
  table: string,
  device: Pick<ProxyTranslation, 'instance' | 'device'>,
): Promise<void> {
  await removeChains('inet', table, proxyChainNames(device));
}
