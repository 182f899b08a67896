import { listNetworks } from '../database/networks.ts';
import type { Services } from '../services.ts';

/** Removes all networks from the host, for the end of the host or daemon; they come back at the next start. */
export async function stopNetworks({
  database,
  networkControl,
  log,
}: Pick<Services, 'database' | 'networkControl' | 'log'>): Promise<void> {
  for (const network of await database.read(reader => listNetworks(reader))) {
    try {
      await networkControl.takeDown(network);
    } catch (error) {
      log.error('Failed stopping a network', { network: network.name, error });
    }
  }
}
