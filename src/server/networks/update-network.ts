import type { ConfigMap } from '#api/common.ts';
import type { NetworkPut } from '#api/network.ts';
import { changedKeys } from '#base/config-schema.ts';
import { Revert } from '#base/revert.ts';
import { getNetwork, listNetworks, type NetworkRecord, updateNetworkRow } from '../database/networks.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Change } from './change.ts';
import * as check from './check-network.ts';
import type { NetworkServices } from './create-network.ts';
import { checkForwardsFit } from './forwards.ts';
import { loadPlan } from './policies.ts';
import { refreshPolicies } from './refresh-policies.ts';

export async function updateNetwork(
  services: NetworkServices,
  name: string,
  request: NetworkPut,
  options: Change<NetworkRecord>,
): Promise<void> {
  const { database, networkControl: control } = services;
  using _lock = await services.locks.hold(`network/${name}`, 'update');
  const record = await database.read(reader => getNetwork(reader, name));
  options.assertUnchanged(record);
  const description = request.description ?? (options.mode === 'merge' ? record.description : '');
  check.checkDescription(description);
  const config = await wantedConfig(services, record, request.config ?? {}, options.mode);

  await using revert = new Revert(services.log);
  if (changedKeys(record.config, config).some(key => !key.startsWith('user.'))) {
    const driver = services.networks.find(name);
    const { former, plan } = await database.read(async reader => ({
      former: await loadPlan(reader, name),
      plan: await loadPlan(reader, name, { config }),
    }));
    // the driver knows the NICs that are attached: it goes back itself
    revert.add('changing the network', async () => {
      if (driver) await driver.update(former.config, former.policies);
      else await control.takeDown(record);
    });
    if (driver) await driver.update(plan.config, plan.policies);
    else await control.bringUp(plan);
  }
  await database.write(async tx => {
    options.assertUnchanged(await getNetwork(tx, name));
    await check.checkReferences(tx, config);
    const others = await listNetworks(tx);
    check.checkOverlap(control, { ...record, config }, others);
    check.checkParent({ ...record, config }, others);
    await updateNetworkRow(tx, record, { description, config });
  });
  revert.commit();
  await refreshPolicies(services, { except: name });
  const { requestor } = options;
  emitLifecycle(services.events, 'network-updated', `/1.0/networks/${name}`, requestor ? { requestor } : {});
}

async function wantedConfig(
  { database, networkControl: control }: NetworkServices,
  record: NetworkRecord,
  given: ConfigMap,
  mode: Change<NetworkRecord>['mode'],
): Promise<ConfigMap> {
  const type = control.type(record.type);
  check.checkConfig(type, given);
  const kept = Object.entries(record.config).filter(([key]) => mode === 'merge' || key.startsWith('volatile.'));
  const merged = check.withoutEmpty({ ...Object.fromEntries(kept), ...given });
  const others = await database.read(listNetworks);
  const taken = check.takenSubnets(control, others, record.name).map(({ subnet }) => subnet);
  const config = await type.completeConfig(merged, { creating: false, taken });
  check.checkWhole(type, record.name, config);
  await database.read(async reader => {
    await check.checkReferences(reader, config);
    await checkForwardsFit(reader, { ...record, config });
  });
  check.checkOverlap(control, { ...record, config }, others);
  return config;
}
