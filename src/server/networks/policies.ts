import type { ConfigMap } from '#api/common.ts';
import { notFound } from '#api/error.ts';
import { listOf } from '#network/checks.ts';
import type { NetworkPolicies } from '#network/driver.ts';
import { formatCidr, networkOf, parseCidr } from '#network/ip-address.ts';
import type { Reader } from '../database/database.ts';
import { listAcls, type NetworkAclRecord } from '../database/network-acls.ts';
import { listForwards, type NetworkForwardRecord } from '../database/network-forwards.ts';
import { listNetworks, type NetworkRecord } from '../database/networks.ts';
import type { NetworkPlan } from './networks.ts';

/** Everything that policies are made of, read at once. */
interface Known {
  readonly networks: readonly NetworkRecord[];
  readonly acls: readonly NetworkAclRecord[];
  readonly forwards: readonly NetworkForwardRecord[];
}

/** What it takes to bring up each network that is finished. */
export async function loadPlans(reader: Reader): Promise<readonly NetworkPlan[]> {
  const known = await loadKnown(reader);
  return known.networks
    .filter(({ ready }) => ready)
    .map(record => ({ ...record, policies: policiesOf(record, known) }));
}

/** What it takes to bring up a network, finished or not, as it is stored or with another name or config. */
export async function loadPlan(
  reader: Reader,
  name: string,
  change: Partial<Pick<NetworkRecord, 'name' | 'config'>> = {},
): Promise<NetworkPlan> {
  const known = await loadKnown(reader);
  const record = known.networks.find(network => network.name === name);
  if (!record) throw notFound('Network', name);
  const changed = { ...record, ...change };
  const networks = [...known.networks.filter(({ id }) => id !== record.id), changed];
  return { ...changed, policies: policiesOf(changed, { ...known, networks }) };
}

async function loadKnown(reader: Reader): Promise<Known> {
  return {
    networks: await listNetworks(reader),
    acls: await listAcls(reader),
    forwards: await listForwards(reader),
  };
}

function policiesOf({ id, config }: NetworkRecord, { networks, acls, forwards }: Known): NetworkPolicies {
  const subnets: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const network of networks) {
    for (const name of aclsOf(network.config)) (subnets[name] ??= []).push(...subnetsOf(network.config));
  }
  const lists = aclsOf(config).flatMap(name => acls.find(acl => acl.name === name) ?? []);
  return { acls: { lists, subnets }, forwards: forwards.filter(({ networkId }) => networkId === id) };
}

/** Names of the access lists that a network has. */
export function aclsOf(config: ConfigMap): readonly string[] {
  return listOf(config['security.acls'] ?? '').filter(name => name !== '');
}

/** Those of the networks that have an access list. */
export function networksWith<N extends Pick<NetworkRecord, 'config'>>(
  networks: readonly N[],
  acl: string,
): readonly N[] {
  return networks.filter(({ config }) => aclsOf(config).includes(acl));
}

function subnetsOf(config: ConfigMap): readonly string[] {
  return ['ipv4.address', 'ipv6.address'].flatMap(key => {
    const cidr = parseCidr(config[key] ?? '');
    return cidr ? [formatCidr(networkOf(cidr))] : [];
  });
}
