import { parseBoolean } from '#base/config-schema.ts';
import { Lane } from '#base/lane.ts';
import { ensurePassage, findObstacles, warningFor } from '#network/nftables/coexistence.ts';
import type { Transaction } from '../database/database.ts';
import { listNetworks } from '../database/networks.ts';
import { type NewWarning, resolveWarning, saveWarning } from '../database/warnings.ts';
import type { Services } from '../services.ts';
import type { NetworkServices } from './create-network.ts';

type Uses = NetworkServices & Pick<Services, 'settings'>;

/**
 * Looks whether networks are up and firewalls of others let their traffic pass: with "network.firewall.coexist" on, rules
 * in their users' chains see to it. What is in the way is a warning until it is gone.
 */
export async function tendNetworks({ database, networks, networkControl, settings }: Uses): Promise<void> {
  const known = (await database.read(listNetworks)).filter(({ ready }) => ready);
  const bridges = known.filter(({ type }) => type === 'bridge').map(({ name }) => name);
  const table = networks.firewallTable;
  const wanted = parseBoolean(settings.get('network.firewall.coexist') ?? '') === true;
  await ensurePassage(table, wanted ? bridges : []);
  const obstacles = await findObstacles(table, bridges);
  await database.write(async tx => {
    for (const { name } of known) {
      const [obstacle] = obstacles.get(name) ?? [];
      const warning = { project: 'default', entityUrl: `/1.0/networks/${encodeURIComponent(name)}` };
      const dropped = { ...warning, type: 'Forwarded packets are dropped by another firewall' };
      await warn(tx, { ...dropped, severity: 'moderate' }, obstacle && warningFor(obstacle, name));
      const down = { ...warning, type: 'Network unavailable' };
      await warn(tx, { ...down, severity: 'high' }, networkControl.failure(name));
    }
  });
}

async function warn(tx: Transaction, warning: Omit<NewWarning, 'message'>, problem: string | undefined): Promise<void> {
  if (problem === undefined) await resolveWarning(tx, warning);
  else await saveWarning(tx, { ...warning, message: problem });
}

// every fact that can change what has to pass
const concerning = /^(network-(created|deleted|renamed|updated)|config-updated)$/;

/** Tends networks at once when they or the server's config change; returns how to stop that. */
export function followConfig(services: Uses): () => void {
  const lane = new Lane(1);
  return services.events.subscribe({ types: ['lifecycle'] }, ({ metadata }) => {
    if (!concerning.test((metadata as { readonly action: string }).action)) return;
    void lane.run(() =>
      tendNetworks(services).catch((error: unknown) => {
        services.log.error('Failed looking after networks', { error });
      }),
    );
  });
}
