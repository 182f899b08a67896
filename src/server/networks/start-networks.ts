import type { NetworkServices } from './create-network.ts';
import { recoverNetworks } from './delete-network.ts';
import { followInstances, reserveNics } from './reservations.ts';

/** Removes what a killed daemon left unfinished, then brings up every network: a step of the daemon's start. */
export async function startNetworks(services: NetworkServices): Promise<void> {
  await recoverNetworks(services);
  await services.networkControl.start(services.database);
  await reserveNics(services);
  followInstances(services);
}
