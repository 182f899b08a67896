import { kernel } from '#native/kernel.ts';
import { networkTypes } from '#network/drivers.ts';
import type { Services } from '../services.ts';
import { StartedNetworks } from './started-networks.ts';

/** The networks of this host; the nft table is named by LXD_LIKE_NFT_TABLE, so that several daemons can share a host. */
export function buildNetworks({ paths, log }: Pick<Services, 'paths' | 'log'>): StartedNetworks {
  return new StartedNetworks({
    types: networkTypes(kernel),
    links: () => kernel.links(),
    paths,
    firewallTable: firewallTableName(process.env['LXD_LIKE_NFT_TABLE']),
    log,
  });
}

/** The name is written into rules: anything but an identifier is refused. */
export function firewallTableName(wanted: string | undefined): string {
  if (wanted === undefined || wanted === '') return 'lxd_like';
  if (/^[A-Za-z][A-Za-z0-9_]{0,30}$/.test(wanted)) return wanted;
  throw new Error(`LXD_LIKE_NFT_TABLE must be an identifier, not "${wanted}"`);
}
