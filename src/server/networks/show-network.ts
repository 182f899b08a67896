import { existsSync } from 'node:fs';
import { notFound } from '#api/error.ts';
import type { Network, NetworkLease, NetworkState } from '#api/network.ts';
import type { Link } from '#native/addon/index.d.ts';
import { linkState } from '#network/link-state.ts';
import type { Reader } from '../database/database.ts';
import { findNetwork, getNetwork, listNetworks, type NetworkRecord, networkUsers } from '../database/networks.ts';
import type { Services } from '../services.ts';

type Uses = Pick<Services, 'database' | 'networks' | 'networkControl'>;

/** Managed networks and interfaces of the host, by name. */
export async function showNetworks({ database, networkControl: control }: Uses): Promise<readonly Network[]> {
  const { records, users } = await database.read(async reader => ({
    records: await listNetworks(reader),
    users: await networkUsers(reader),
  }));
  const managed = records.map(record => showManaged(record, users, control.failure(record.name)));
  const names = new Set(records.map(({ name }) => name));
  const others = control.links().filter(({ name }) => !names.has(name) && !isContainerEnd(name));
  return [...managed, ...others.map(link => showLink(link, users))].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Throws "not-found" when there is neither a network nor a host interface of that name. */
export async function showNetwork({ database, networkControl: control }: Uses, name: string): Promise<Network> {
  const { record, users } = await database.read(async reader => ({
    record: await findNetwork(reader, name),
    users: await networkUsers(reader),
  }));
  if (record) return showManaged(record, users, control.failure(name));
  const link = control.links().find(candidate => candidate.name === name);
  if (!link) throw notFound('Network', name);
  return showLink(link, users);
}

/** The writable part, which the ETag is made of; what the daemon keeps for itself is no part of it. */
export function writablePart(network: Pick<NetworkRecord, 'name' | 'type' | 'description' | 'config'>): unknown {
  const { name, type, description } = network;
  const config = Object.fromEntries(Object.entries(network.config).filter(([key]) => !key.startsWith('volatile.')));
  return { name, managed: true, type, description, config };
}

export async function showLeases({ database, networks }: Uses, name: string): Promise<readonly NetworkLease[]> {
  await database.read((reader: Reader) => getNetwork(reader, name));
  return networks.get(name).leases();
}

export async function showState({ networks, networkControl: control }: Uses, name: string): Promise<NetworkState> {
  const driver = networks.find(name);
  if (driver) return driver.state();
  const link = control.links().find(candidate => candidate.name === name);
  if (!link) throw notFound('Network interface', name);
  return linkState(link);
}

type Users = ReadonlyMap<string, readonly string[]>;

function showManaged(record: NetworkRecord, users: Users, failure: string | undefined): Network {
  const { name, description, type, config, ready } = record;
  const status = !ready ? 'Pending' : failure === undefined ? 'Created' : 'Unavailable';
  return {
    name,
    description,
    type,
    managed: true,
    status,
    config,
    locations: ['none'],
    used_by: users.get(name) ?? [],
  };
}

function showLink(link: Link, users: Users): Network {
  return {
    name: link.name,
    description: '',
    type: linkType(link),
    managed: false,
    status: '',
    config: {},
    locations: [],
    used_by: users.get(link.name) ?? [],
  };
}

/** What LXD calls the kinds of interfaces that it did not make. */
function linkType({ name, flags, kind }: Link): string {
  if (flags & 0x8) return 'loopback';
  if (kind === 'bridge' || kind === 'vlan' || kind === 'bond') return kind;
  if (kind === '' && existsSync(`/sys/class/net/${name}/device`)) return 'physical';
  return 'unknown';
}

/** Host ends of containers' NICs are left out of the list, as there may be hundreds. */
function isContainerEnd(name: string): boolean {
  return name.startsWith('veth');
}
