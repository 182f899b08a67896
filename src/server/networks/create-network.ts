import type { Requestor } from '#api/event.ts';
import type { NetworksPost } from '#api/network.ts';
import { alreadyExists, ApiError } from '#api/error.ts';
import { Revert } from '#base/revert.ts';
import { deleteNetworkRow, findNetwork, insertNetwork, listNetworks, setNetworkReady } from '../database/networks.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Services } from '../services.ts';
import * as check from './check-network.ts';
import { removeFolder } from './folder.ts';
import { loadPlan } from './policies.ts';
import { refreshPolicies } from './refresh-policies.ts';

export type NetworkServices = Pick<
  Services,
  'database' | 'networks' | 'networkControl' | 'locks' | 'events' | 'paths' | 'log'
>;

export async function createNetwork(
  services: NetworkServices,
  request: NetworksPost,
  requestor?: Requestor,
): Promise<void> {
  const { database, networkControl: control, paths, log } = services;
  const { name, type: typeName = 'bridge', description = '' } = request;
  using _lock = await services.locks.hold(`network/${name}`, 'create');
  if (await database.read(reader => findNetwork(reader, name))) throw alreadyExists('Network', name);
  check.checkName(control, name);
  check.checkDescription(description);
  const type = control.type(typeName);
  check.checkConfig(type, request.config ?? {});

  await using revert = new Revert(log);
  const network = { name, type: typeName, description, config: await insert(services, request) };
  revert.add('adding the network', () => database.write(tx => deleteNetworkRow(tx, name)));

  revert.add('making the folder', () => removeFolder(paths, name));
  revert.add('starting the network', () => control.takeDown(network));
  await control.bringUp(await database.read(reader => loadPlan(reader, name)));

  await database.write(tx => setNetworkReady(tx, name, true));
  revert.commit();
  await refreshPolicies(services, { except: name });
  emitLifecycle(services.events, 'network-created', `/1.0/networks/${name}`, requestor ? { requestor } : {});
}

/** Subnets are chosen outside of the transaction; when somebody took the same one meanwhile, others are chosen. */
async function insert({ database, networkControl: control }: NetworkServices, request: NetworksPost): Promise<Config> {
  const { name, type: typeName = 'bridge', description = '', config: given = {} } = request;
  const type = control.type(typeName);
  for (let attempt = 0; ; attempt += 1) {
    const others = await database.read(listNetworks);
    const taken = check.takenSubnets(control, others, name).map(({ subnet }) => subnet);
    const config = await type.completeConfig(check.withoutEmpty(given), { creating: true, taken });
    check.checkWhole(type, name, config);
    const network = { name, type: typeName, description, config };
    try {
      await database.write(async tx => {
        await check.checkReferences(tx, config);
        const others = await listNetworks(tx);
        check.checkOverlap(control, network, others);
        check.checkParent(network, others);
        await insertNetwork(tx, network);
      });
      return config;
    } catch (error) {
      if (attempt === 3 || !ApiError.is(error, 'invalid-argument') || !leavesChoice(given)) throw error;
    }
  }
}

type Config = NonNullable<NetworksPost['config']>;

function leavesChoice(config: Config): boolean {
  return ['ipv4.address', 'ipv6.address'].some(key => (config[key] || 'auto') === 'auto');
}
