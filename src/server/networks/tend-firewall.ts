import { Lane } from '#base/lane.ts';
import { parseBoolean } from '#base/config-schema.ts';
import { ensurePassage, findObstacles, warningFor } from '#network/nftables/coexistence.ts';
import { listNetworks } from '../database/networks.ts';
import { resolveWarning, saveWarning } from '../database/warnings.ts';
import type { Services } from '../services.ts';
import type { NetworkServices } from './create-network.ts';

type Uses = NetworkServices & Pick<Services, 'settings'>;

const warningType = 'Forwarded packets are dropped by another firewall';

/**
 * Looks whether firewalls of others let the traffic of networks pass: with "network.firewall.coexist" on, rules in their
 * users' chains see to it; what is still in the way is a warning until it is gone.
 */
export async function tendFirewall({ database, networks, settings }: Uses): Promise<void> {
  const known = await database.read(listNetworks);
  const names = known.filter(({ ready, type }) => ready && type === 'bridge').map(({ name }) => name);
  const table = networks.firewallTable;
  const wanted = parseBoolean(settings.get('network.firewall.coexist') ?? '') === true;
  await ensurePassage(table, wanted ? names : []);
  const obstacles = await findObstacles(table, names);
  await database.write(async tx => {
    for (const name of names) {
      const [obstacle] = obstacles.get(name) ?? [];
      const entityUrl = `/1.0/networks/${encodeURIComponent(name)}`;
      const warning = { project: 'default', entityUrl, type: warningType };
      if (!obstacle) await resolveWarning(tx, warning);
      else await saveWarning(tx, { ...warning, severity: 'moderate', message: warningFor(obstacle, name) });
    }
  });
}

// every fact that can change what has to pass
const concerning = /^(network-(created|deleted|renamed)|config-updated)$/;

/** Tends the firewall at once when networks or the server's config change; returns how to stop that. */
export function followFirewall(services: Uses): () => void {
  const lane = new Lane(1);
  return services.events.subscribe({ types: ['lifecycle'] }, ({ metadata }) => {
    if (!concerning.test((metadata as { readonly action: string }).action)) return;
    void lane.run(() =>
      tendFirewall(services).catch((error: unknown) => {
        services.log.error('Failed looking after firewalls of others', { error });
      }),
    );
  });
}
