import type { Services } from '../services.ts';
import type { NetworkServices } from './create-network.ts';
import { recoverNetworks } from './delete-network.ts';
import { followInstances, reserveNics } from './reservations.ts';
import { followConfig, tendNetworks } from './tend-networks.ts';

/** Removes what a killed daemon left unfinished, then brings up every network: a step of the daemon's start. */
export async function startNetworks(services: NetworkServices & Pick<Services, 'settings'>): Promise<void> {
  await recoverNetworks(services);
  await services.networkControl.start(services.database);
  await reserveNics(services);
  followInstances(services);
  await tendNetworks(services).catch((error: unknown) =>
    services.log.error('Failed looking after networks', { error }),
  );
  followConfig(services);
}
