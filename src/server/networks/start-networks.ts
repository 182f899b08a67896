import type { Services } from '../services.ts';
import type { NetworkServices } from './create-network.ts';
import { recoverNetworks } from './delete-network.ts';
import { followFirewall } from './tend-firewall.ts';
import { followInstances, reserveNics } from './reservations.ts';

/** Removes what a killed daemon left unfinished, then brings up every network: a step of the daemon's start. */
export async function startNetworks(services: NetworkServices & Pick<Services, 'settings'>): Promise<void> {
  await recoverNetworks(services);
  await services.networkControl.start(services.database);
  await reserveNics(services);
  followInstances(services);
  followFirewall(services);
}
