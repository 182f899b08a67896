import { alreadyExists, ApiError } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { NetworkForward, NetworkForwardPut, NetworkForwardsPost } from '#api/network-forward.ts';
import { Revert } from '#base/revert.ts';
import { contains, networkOf, parseAddress, parseCidr } from '#network/ip-address.ts';
import type { Reader } from '../database/database.ts';
import {
  deleteForwardRow,
  getForward,
  insertForward,
  listForwards,
  type NetworkForwardRecord,
  updateForwardRow,
} from '../database/network-forwards.ts';
import { getNetwork, listNetworks, type NetworkRecord } from '../database/networks.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import { applyPolicies } from './apply-policies.ts';
import { type Change, requested } from './change.ts';
import { checkForward, checkListenAddress } from './check-forward.ts';
import type { NetworkServices } from './create-network.ts';

/** Forwards an address to instances of a network; its canonical form is returned. */
export async function createForward(
  services: NetworkServices,
  networkName: string,
  request: NetworkForwardsPost,
  requestor?: Requestor,
): Promise<string> {
  const { database } = services;
  const address = checkListenAddress(request.listen_address);
  using _lock = await services.locks.hold(`network-forward/${address}`, 'create');
  await using revert = new Revert(services.log);
  const id = await database.write(async tx => {
    const network = await networkFor(tx, networkName);
    const forward = checkForward(network, address, request);
    if ((await listForwards(tx, network.id)).some(({ listen_address: other }) => other === address)) {
      throw alreadyExists('Network forward', address);
    }
    await checkFree(tx, network, address);
    await insertForward(tx, network.id, forward);
    return (await getForward(tx, network.id, address)).id;
  });
  revert.add('adding the forward', async () => {
    await database.write(tx => deleteForwardRow(tx, { id }));
    await applyPolicies(services, [networkName]);
  });
  await applyPolicies(services, [networkName]);
  revert.commit();
  tell(services, 'network-forward-created', networkName, address, requestor);
  return address;
}

export async function updateForward(
  services: NetworkServices,
  networkName: string,
  address: string,
  request: NetworkForwardPut,
  { mode, assertUnchanged, requestor }: Change<NetworkForwardRecord>,
): Promise<void> {
  const { database } = services;
  using _lock = await services.locks.hold(`network-forward/${address}`, 'update');
  await using revert = new Revert(services.log);
  const before = await database.write(async tx => {
    const network = await networkFor(tx, networkName);
    const before = await getForward(tx, network.id, address);
    assertUnchanged(before);
    await updateForwardRow(tx, before, checkForward(network, address, requested(before, request, mode)));
    return before;
  });
  revert.add('storing the change', async () => {
    await database.write(tx => updateForwardRow(tx, before, before));
    await applyPolicies(services, [networkName]);
  });
  await applyPolicies(services, [networkName]);
  revert.commit();
  tell(services, 'network-forward-updated', networkName, address, requestor);
}

export async function deleteForward(
  services: NetworkServices,
  networkName: string,
  address: string,
  requestor?: Requestor,
): Promise<void> {
  using _lock = await services.locks.hold(`network-forward/${address}`, 'delete');
  await services.database.write(async tx => {
    const network = await networkFor(tx, networkName);
    await deleteForwardRow(tx, await getForward(tx, network.id, address));
  });
  await applyPolicies(services, [networkName]);
  tell(services, 'network-forward-deleted', networkName, address, requestor);
}

export async function showForwards(
  { database }: Pick<NetworkServices, 'database'>,
  networkName: string,
): Promise<readonly NetworkForward[]> {
  return database.read(async reader => {
    const network = await networkFor(reader, networkName);
    return (await listForwards(reader, network.id)).map(shown);
  });
}

export async function showForward(
  { database }: Pick<NetworkServices, 'database'>,
  networkName: string,
  address: string,
): Promise<NetworkForward> {
  return database.read(async reader => {
    const network = await networkFor(reader, networkName);
    return shown(await getForward(reader, network.id, address));
  });
}

/** The writable part, which the ETag is made of. */
export function writableForward({ listen_address, description, config, ports }: NetworkForward): unknown {
  return { listen_address, description, config, ports };
}

/** Throws when forwards of a network would point outside of it with another config. */
export async function checkForwardsFit(reader: Reader, network: Pick<NetworkRecord, 'id' | 'config'>): Promise<void> {
  for (const forward of await listForwards(reader, network.id)) {
    try {
      checkForward(network, forward.listen_address, forward);
    } catch (error) {
      if (!ApiError.is(error)) throw error;
      const what = `Failed validating firewall address forward for listen address "${forward.listen_address}"`;
      throw new ApiError('invalid-argument', `${what}: ${error.message}`);
    }
  }
}

function shown({ listen_address, description, config, ports, location }: NetworkForwardRecord): NetworkForward {
  return { description, config, ports, listen_address, location };
}

async function networkFor(reader: Reader, name: string): Promise<NetworkRecord> {
  const network = await getNetwork(reader, name);
  if (network.type === 'bridge') return network;
  throw new ApiError('failed-precondition', `Network driver "${network.type}" does not support forwards`);
}

/** Throws when another network has the address: in its subnet, its routes or as a listen address of its own. */
async function checkFree(reader: Reader, network: NetworkRecord, address: string): Promise<void> {
  const listen = parseAddress(address);
  const networks = (await listNetworks(reader)).filter(({ id }) => id !== network.id);
  const subnets = networks.flatMap(({ config }) =>
    ['ipv4.address', 'ipv6.address', 'ipv4.routes', 'ipv6.routes'].flatMap(key =>
      (config[key] ?? '').split(',').flatMap(text => parseCidr(text.trim()) ?? []),
    ),
  );
  const taken = (await listForwards(reader)).some(forward => forward.listen_address === address);
  if (!taken && !subnets.some(subnet => listen && contains(networkOf(subnet), listen))) return;
  const message = `Forward listen address "${address}" overlaps with another network or NIC`;
  throw new ApiError('invalid-argument', message);
}

function tell(
  { events }: NetworkServices,
  action: string,
  network: string,
  address: string,
  requestor?: Requestor,
): void {
  const url = `/1.0/networks/${encodeURIComponent(network)}/forwards/${encodeURIComponent(address)}`;
  emitLifecycle(events, action, url, requestor ? { requestor } : {});
}
