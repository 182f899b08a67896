import type { ConfigMap } from '#api/common.ts';
import type { Requestor } from '#api/event.ts';
import type { NetworkPut } from '#api/network.ts';
import { changedKeys } from '#base/config-schema.ts';
import { Revert } from '#base/revert.ts';
import { getNetwork, listNetworks, type NetworkRecord, updateNetworkRow } from '../database/networks.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import * as check from './check-network.ts';
import type { NetworkServices } from './create-network.ts';

export interface UpdateOptions {
  /** "replace" as PUT, "merge" as PATCH */
  readonly mode: 'replace' | 'merge';
  /** Throws when the caller saw another state; called inside the transaction too. */
  readonly assertUnchanged: (record: NetworkRecord) => void;
  readonly requestor?: Requestor;
}

export async function updateNetwork(
  services: NetworkServices,
  name: string,
  request: NetworkPut,
  options: UpdateOptions,
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
    // the driver knows the NICs that are attached: it goes back itself
    revert.add('changing the network', async () => {
      if (driver) await driver.update(record.config);
      else await control.takeDown(record);
    });
    if (driver) await driver.update(config);
    else await control.bringUp({ ...record, config });
  }
  await database.write(async tx => {
    options.assertUnchanged(await getNetwork(tx, name));
    check.checkOverlap(control, { ...record, config }, await listNetworks(tx));
    await updateNetworkRow(tx, record, { description, config });
  });
  revert.commit();
  const { requestor } = options;
  emitLifecycle(services.events, 'network-updated', `/1.0/networks/${name}`, requestor ? { requestor } : {});
}

async function wantedConfig(
  { database, networkControl: control }: NetworkServices,
  record: NetworkRecord,
  given: ConfigMap,
  mode: UpdateOptions['mode'],
): Promise<ConfigMap> {
  const type = control.type(record.type);
  check.checkConfig(type, given);
  const kept = Object.entries(record.config).filter(([key]) => mode === 'merge' || key.startsWith('volatile.'));
  const merged = check.withoutEmpty({ ...Object.fromEntries(kept), ...given });
  const others = await database.read(listNetworks);
  const taken = check.takenSubnets(control, others, record.name).map(({ subnet }) => subnet);
  const config = await type.completeConfig(merged, { creating: false, taken });
  check.checkWhole(type, record.name, config);
  check.checkOverlap(control, { ...record, config }, others);
  return config;
}
