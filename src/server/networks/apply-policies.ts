import type { NetworkServices } from './create-network.ts';
import { loadPlan } from './policies.ts';

/** Has networks take over what is stored of their access lists and forwards; those that are down do so when they start. */
export async function applyPolicies(
  { database, networks, locks }: Pick<NetworkServices, 'database' | 'networks' | 'locks'>,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    using _lock = await locks.hold(`network/${name}`, 'update');
    const { config, policies } = await database.read(reader => loadPlan(reader, name));
    await networks.find(name)?.update(config, policies);
  }
}
