import { readFile } from 'node:fs/promises';
import type { NetworkExplanation, NetworkFinding } from '#api/network-explanation.ts';
import { ApiError } from '#api/error.ts';
import type { NetworkLease } from '#api/network.ts';
import { parseBoolean } from '#base/config-schema.ts';
import { parseAddress } from '#network/ip-address.ts';
import { findObstacles, remedyFor, warningFor } from '#network/nftables/coexistence.ts';
import { listForwards } from '../database/network-forwards.ts';
import { listNics, type NicRecord } from '../database/network-nics.ts';
import { listNetworks, type NetworkRecord } from '../database/networks.ts';
import { containerId } from '../paths.ts';
import type { NetworkServices } from './create-network.ts';
import { aclsOf } from './policies.ts';
import { publishedName } from './reservations.ts';

type Uses = Pick<NetworkServices, 'database' | 'networks' | 'networkControl'>;

/** What the host and the database say of one network. */
export interface NetworkFacts {
  readonly network: Pick<NetworkRecord, 'name' | 'type' | 'config'>;
  /** why it is not up */
  readonly failure: string | undefined;
  readonly link: { readonly up: boolean; readonly addresses: readonly string[] } | undefined;
  readonly leases: readonly NetworkLease[];
  /** whether the host forwards at all, by family */
  readonly forwarding: Readonly<Record<4 | 6, boolean>>;
  readonly obstacles: readonly { readonly text: string; readonly fix: string }[];
  /** listen addresses that are forwarded to its instances, with their targets */
  readonly forwards: readonly { readonly listen: string; readonly targets: readonly string[] }[];
}

/** Explains the way of packets of an instance, an address or a network; of all networks when the target is empty. */
export async function explainTarget(services: Uses, target: string): Promise<readonly NetworkExplanation[]> {
  const { database, networks } = services;
  const { all, nics } = await database.read(async reader => ({
    all: (await listNetworks(reader)).filter(({ ready }) => ready),
    nics: await listNics(reader),
  }));
  const named = all.filter(({ name }) => target === '' || name === target);
  if (named.length > 0) {
    return Promise.all(
      named.map(async network => ({
        network: network.name,
        findings: networkFindings(await factsOf(services, network)),
      })),
    );
  }
  const explanations: NetworkExplanation[] = [];
  for (const network of all) {
    const own = nics.filter(nic => nic.network === network.name);
    const leases =
      (await networks
        .find(network.name)
        ?.leases()
        .catch(() => [])) ?? [];
    const wanted = parseAddress(target)
      ? own.filter(nic => leasesOf(nic, leases).some(({ address }) => address === target))
      : own.filter(({ project, instance }) => instance === target || containerId(project, instance) === target);
    if (wanted.length === 0 && !leases.some(({ address }) => address === target)) continue;
    const facts = await factsOf(services, network);
    const whole = networkFindings(facts);
    if (wanted.length === 0) explanations.push({ network: network.name, findings: whole });
    for (const nic of wanted) {
      const findings = [...nicFindings(nic, facts), ...whole];
      explanations.push({ network: network.name, instance: nic.instance, device: nic.device, findings });
    }
  }
  if (explanations.length > 0) return explanations;
  const message = `Nothing here is named "${target}" and no network knows that address: see "list" and "network list"`;
  throw new ApiError('not-found', message);
}

async function factsOf({ database, networks, networkControl }: Uses, network: NetworkRecord): Promise<NetworkFacts> {
  const link = networkControl.links().find(({ name }) => name === network.name);
  const obstacles = (await findObstacles(networks.firewallTable, [network.name])).get(network.name) ?? [];
  const forwards = await database.read(reader => listForwards(reader, network.id));
  return {
    network,
    failure: networkControl.failure(network.name),
    link: link && { up: (link.flags & 1) === 1, addresses: link.addresses.map(({ address }) => address) },
    leases:
      (await networks
        .find(network.name)
        ?.leases()
        .catch(() => [])) ?? [],
    forwarding: { 4: await isOn('ipv4/ip_forward'), 6: await isOn('ipv6/conf/all/forwarding') },
    obstacles: obstacles.map(obstacle => ({
      text: warningFor(obstacle, network.name),
      fix: remedyFor(obstacle, network.name),
    })),
    forwards: forwards.map(({ listen_address: listen, config, ports }) => ({
      listen,
      targets: [
        ...ports.map(port => port.target_address),
        ...(config['target_address'] ? [config['target_address']] : []),
      ],
    })),
  };
}

async function isOn(sysctl: string): Promise<boolean> {
  return (await readFile(`/proc/sys/net/${sysctl}`, 'utf8').catch(() => '0')).trim() !== '0';
}

/** From the network's link to the outside. */
export function networkFindings(facts: NetworkFacts): readonly NetworkFinding[] {
  const { network, failure, link, obstacles } = facts;
  const { name, config } = network;
  if (failure !== undefined) {
    const fix = 'put right what it says; the network is tried again every 30 s';
    return [{ what: 'network', ok: false, text: `Network "${name}" is not up: ${failure}`, fix }];
  }
  if (network.type !== 'bridge') {
    return [{ what: 'network', ok: true, text: `NICs of "${name}" are made of "${config['parent'] ?? ''}"` }];
  }
  if (!link?.up) {
    const state = link ? 'is down' : 'is gone';
    return [{ what: 'link', ok: false, text: `The bridge ${state}`, fix: `ip link set ${name} up` }];
  }
  const families = ([4, 6] as const).flatMap(family => familyFindings(family, facts));
  const acls = aclsOf(config);
  const lists: readonly NetworkFinding[] =
    acls.length === 0 ? [] : [{ what: 'access lists', ok: true, text: aclSentence(acls, config) }];
  const others = obstacles.map(({ text, fix }) => ({ what: 'firewall', ok: false, text, fix }));
  const none = { what: 'firewall', ok: true, text: 'No firewall of others drops what is forwarded' };
  return [...families, ...lists, ...(others.length > 0 ? others : [none])];
}

function aclSentence(acls: readonly string[], config: NetworkRecord['config']): string {
  const action = (side: string): string => config[`security.acls.default.${side}.action`] ?? 'reject';
  const rest = `what they do not name: ingress ${action('ingress')}, egress ${action('egress')}`;
  return `Packets pass the lists ${acls.join(', ')} (chain "acl"); ${rest}`;
}

function familyFindings(family: 4 | 6, { network, link, forwarding }: NetworkFacts): readonly NetworkFinding[] {
  const { name, config } = network;
  const key = `ipv${String(family)}`;
  const cidr = config[`${key}.address`] ?? 'none';
  if (cidr === 'none') return [];
  const [own = ''] = cidr.split('/');
  const found = link?.addresses.includes(own) === true;
  const findings: NetworkFinding[] = [
    {
      what: 'gateway',
      ok: found,
      text: found ? `Gateway ${cidr} is on the bridge` : `Gateway ${cidr} is not on the bridge`,
      ...(!found && { fix: `ip address add ${cidr} dev ${name}` }),
    },
  ];
  if (parseBoolean(config[`${key}.routing`] ?? 'true') === false) {
    const fix = `network set ${name} ${key}.routing=true`;
    findings.push({ what: 'route', ok: false, text: `"${key}.routing" is off: nothing leaves the bridge`, fix });
  } else if (!forwarding[family]) {
    const sysctl = family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding';
    findings.push({
      what: 'route',
      ok: false,
      text: `The host does not forward IPv${String(family)}`,
      fix: `sysctl -w ${sysctl}=1`,
    });
  } else {
    const nat = parseBoolean(config[`${key}.nat`] ?? 'false') === true;
    const how = nat
      ? `under the host's address (chain "pstrt.${name}")`
      : 'under its own address: others need a route back';
    findings.push({ what: 'route', ok: true, text: `IPv${String(family)} leaves the host ${how}` });
  }
  return findings;
}

/** From the instance to the network. */
export function nicFindings(nic: NicRecord, { network, leases, forwards }: NetworkFacts): readonly NetworkFinding[] {
  const { instance, device, options } = nic;
  const own = leasesOf(nic, leases);
  const findings: NetworkFinding[] = own.map(({ address, type }) => ({
    what: 'lease',
    ok: true,
    text: `${address} is ${type === 'static' ? 'fixed by config' : 'leased'} for ${nic.hardwareAddress ?? 'it'}`,
  }));
  if (own.length === 0 && network.type === 'bridge') {
    const text = `No address is known: the guest has not asked for one on "${device}"`;
    findings.push({ what: 'lease', ok: false, text, fix: `exec ${instance} -- ip address` });
  }
  for (const family of ['ipv4', 'ipv6']) {
    if (parseBoolean(options[`security.${family}_filtering`] ?? '') !== true) continue;
    const allowed = options[`${family}.address`] ?? 'the address that it got';
    const chain = `in.${containerId(nic.project, instance)}.${device}`;
    findings.push({
      what: 'filter',
      ok: true,
      text: `Only ${allowed} may send; other packets end in chain "${chain}"`,
    });
  }
  for (const { listen, targets } of forwards) {
    if (!own.some(({ address }) => targets.includes(address))) continue;
    findings.push({
      what: 'forward',
      ok: true,
      text: `${listen} is forwarded here (chain "fwdprert.${network.name}")`,
    });
  }
  return findings;
}

function leasesOf(
  { project, instance, hardwareAddress }: NicRecord,
  leases: readonly NetworkLease[],
): readonly NetworkLease[] {
  return leases.filter(
    ({ hwaddr, hostname }) =>
      hwaddr === hardwareAddress?.toLowerCase() && hostname === publishedName(project, instance),
  );
}
