import { loadPlans } from './policies.ts';
import type { NetworkServices } from './create-network.ts';

/**
 * Has networks with access lists take over changes of other networks that names in their rules stand for. One that
 * fails is logged: what was changed stands, and the network is healed later.
 */
export async function refreshPolicies(
  { database, networks, log }: Pick<NetworkServices, 'database' | 'networks' | 'log'>,
  { except }: { readonly except: string },
): Promise<void> {
  for (const { name, config, policies } of await database.read(loadPlans)) {
    if (name === except || !policies.acls.lists.some(namesOthers)) continue;
    try {
      await networks.find(name)?.update(config, policies);
    } catch (error) {
      log.error(`Failed changing the rules of network "${name}"`, { error });
    }
  }
}

type List = Awaited<ReturnType<typeof loadPlans>>[number]['policies']['acls']['lists'][number];

/** True when a rule's meaning depends on which networks other lists are on. */
function namesOthers({ ingress, egress }: List): boolean {
  const subjects = [...ingress, ...egress].flatMap(({ source = '', destination = '' }) =>
    `${source},${destination}`.split(','),
  );
  return subjects.some(subject => /^[A-Za-z][A-Za-z0-9-]*$/.test(subject.trim()));
}
