import { alreadyExists } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import { Revert } from '#base/revert.ts';
import { findNetwork, getNetwork, renameNetworkRow } from '../database/networks.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import { checkName } from './check-network.ts';
import type { NetworkServices } from './create-network.ts';
import { checkUnused } from './delete-network.ts';
import { moveFolder } from './folder.ts';
import { loadPlan } from './policies.ts';

/** Renames a network that nobody uses: the bridge gets the new name too, so it goes down for a moment. */
export async function renameNetwork(
  services: NetworkServices,
  name: string,
  newName: string,
  requestor?: Requestor,
): Promise<void> {
  const { database, networkControl: control, paths } = services;
  using _lock = await services.locks.hold(`network/${name}`, 'rename');
  const record = await database.read(async reader => {
    const found = await getNetwork(reader, name);
    if (await findNetwork(reader, newName)) throw alreadyExists('Network', newName);
    await checkUnused(reader, name, 'rename');
    return found;
  });
  checkName(control, newName);
  using _newLock = await services.locks.hold(`network/${newName}`, 'rename');

  await using revert = new Revert(services.log);
  const { plan, renamed } = await database.read(async reader => ({
    plan: await loadPlan(reader, name),
    renamed: await loadPlan(reader, name, { name: newName }),
  }));
  revert.add('stopping the network', () => control.bringUp(plan).then(() => undefined));
  await control.takeDown(record);
  revert.add('moving the folder', () => moveFolder(paths, newName, name));
  await moveFolder(paths, name, newName);
  revert.add('starting the network', () => control.takeDown(renamed));
  await control.bringUp(renamed);

  await database.write(async tx => {
    await checkUnused(tx, name, 'rename');
    await renameNetworkRow(tx, name, newName);
  });
  revert.commit();
  const context = { old_name: name };
  const options = { context, ...(requestor && { requestor }) };
  emitLifecycle(services.events, 'network-renamed', `/1.0/networks/${newName}`, options);
}
