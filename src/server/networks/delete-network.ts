import { ApiError } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import {
  deleteNetworkRow,
  getNetwork,
  listNetworks,
  type NetworkRecord,
  networkUsers,
  setNetworkReady,
} from '../database/networks.ts';
import type { Reader } from '../database/database.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { NetworkServices } from './create-network.ts';
import { removeFolder } from './folder.ts';
import { loadPlan } from './policies.ts';
import { refreshPolicies } from './refresh-policies.ts';

export async function deleteNetwork(services: NetworkServices, name: string, requestor?: Requestor): Promise<void> {
  const { database, events } = services;
  using _lock = await services.locks.hold(`network/${name}`, 'delete');
  const record = await database.write(async tx => {
    const found = await getNetwork(tx, name);
    await checkUnused(tx, name, 'delete');
    // from here on recovery finishes what a killed daemon began
    await setNetworkReady(tx, name, false);
    return found;
  });
  try {
    await removeNetwork(services, record);
  } catch (error) {
    await database.write(tx => setNetworkReady(tx, name, true));
    const again = services.database.read(reader => loadPlan(reader, name));
    await again
      .then(plan => services.networkControl.bringUp(plan))
      .catch((reason: unknown) => {
        services.log.error(`Failed starting network "${name}" again`, { error: reason });
      });
    throw error;
  }
  await refreshPolicies(services, { except: name });
  emitLifecycle(events, 'network-deleted', `/1.0/networks/${name}`, requestor ? { requestor } : {});
}

/** Throws "failed-precondition" naming who uses the network. */
export async function checkUnused(reader: Reader, name: string, action: string): Promise<void> {
  const users = (await networkUsers(reader)).get(name) ?? [];
  if (users.length === 0) return;
  const names = users.join(', ');
  throw new ApiError(
    'failed-precondition',
    `Cannot ${action} network "${name}" while it is used by ${names}; detach it there first`,
  );
}

async function removeNetwork(services: NetworkServices, record: NetworkRecord): Promise<void> {
  await services.networkControl.takeDown(record);
  await removeFolder(services.paths, record.name);
  await services.database.write(tx => deleteNetworkRow(tx, record.name));
}

/** Removes networks whose creation or deletion was cut off. Called once, before networks are started. */
export async function recoverNetworks(services: NetworkServices): Promise<void> {
  const records = await services.database.read(listNetworks);
  for (const record of records.filter(({ ready }) => !ready)) {
    try {
      await removeNetwork(services, record);
      services.log.info(`Removed network "${record.name}", which was not finished`);
    } catch (error) {
      services.log.error(`Failed removing network "${record.name}", which was not finished`, { error });
    }
  }
}
