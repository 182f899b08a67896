import { writeFile } from 'node:fs/promises';
import { ApiError } from '#api/error.ts';
import type { Log } from '#base/log.ts';
import { runCommand } from '#base/run-command.ts';
import type { Kernel } from '#native/kernel.ts';
import { formatCidr, parseAddress } from '../ip-address.ts';
import type { NetworkKernel } from '../kernel-calls.ts';
import type { BridgeSettings } from './settings.ts';
import { forwardIpv6, prepareIpv6, setSysctl } from './sysctl.ts';

export function findLink(kernel: NetworkKernel, name: string): Kernel.Link | undefined {
  return kernel.links().find(link => link.name === name);
}

/** Has the bridge there with MAC, MTU and addresses; true when it had to be made. */
export async function ensureLink(kernel: NetworkKernel, settings: BridgeSettings): Promise<boolean> {
  const { name, mtu, hardwareAddress } = settings;
  const wanted = { mtu, ...(hardwareAddress !== undefined && { hardwareAddress }) };
  const found = findLink(kernel, name);
  if (found && found.kind !== 'bridge') {
    const reason = `the host has an interface of that name and of kind "${found.kind || 'physical'}"`;
    throw new ApiError('failed-precondition', `Cannot start network "${name}": ${reason}`);
  }
  if (!found) kernel.createBridge(name, wanted);
  await prepareIpv6(name, settings.ipv6 !== undefined);
  kernel.changeLink(name, { ...wanted, up: true });
  ensureAddresses(kernel, settings);
  await allowForwarding(settings);
  return !found;
}

/** Addresses by the text that the kernel prints; link-local ones are the kernel's own. */
function ensureAddresses(kernel: NetworkKernel, settings: BridgeSettings): void {
  const wanted = new Set(
    [settings.ipv4, settings.ipv6].flatMap(family => (family ? [formatCidr(family.address)] : [])),
  );
  const present = new Set(globalAddresses(findLink(kernel, settings.name)));
  for (const address of present) if (!wanted.has(address)) kernel.removeAddress(settings.name, address);
  for (const address of wanted) if (!present.has(address)) kernel.addAddress(settings.name, address);
}

function globalAddresses(link: Kernel.Link | undefined): readonly string[] {
  return (link?.addresses ?? []).flatMap(({ address, prefixLength, scope }) => {
    const parsed = scope === 'link' ? undefined : parseAddress(address);
    return parsed ? [formatCidr({ ...parsed, prefixLength })] : [];
  });
}

/** What of the link is not as the settings say, in words; empty when all is well. */
export function linkFaults(link: Kernel.Link | undefined, settings: BridgeSettings): readonly string[] {
  if (!link) return ['the bridge is gone'];
  const present = globalAddresses(link);
  const faults = [settings.ipv4, settings.ipv6].flatMap(family => {
    const address = family && formatCidr(family.address);
    return address === undefined || present.includes(address) ? [] : [`address ${address} is gone`];
  });
  return link.flags & 1 ? faults : [...faults, 'the bridge is down'];
}

async function allowForwarding({ ipv4, ipv6 }: BridgeSettings): Promise<void> {
  if (ipv4?.routing) await setSysctl('ipv4/ip_forward', '1');
  if (ipv6?.routing) await forwardIpv6();
}

/** Joins links to the bridge; those that are gone are left out. */
export function joinLinks(kernel: NetworkKernel, bridge: string, names: Iterable<string>, log: Log): void {
  const links = kernel.links();
  const index = links.find(link => link.name === bridge)?.index;
  for (const name of names) {
    const link = links.find(candidate => candidate.name === name);
    if (!link) log.warning(`Interface "${name}" of network "${bridge}" is missing`);
    else if (link.masterIndex !== index) kernel.changeLink(name, { master: bridge, up: true });
  }
}

/** Takes external links out of the bridge, which itself may be gone. */
export function leaveLinks(kernel: NetworkKernel, bridge: string, names: Iterable<string>): void {
  const links = kernel.links();
  const index = links.find(link => link.name === bridge)?.index;
  for (const name of names) {
    const link = links.find(candidate => candidate.name === name);
    if (link && link.masterIndex !== 0 && link.masterIndex === index) kernel.changeLink(name, { master: null });
  }
}

/** Host ends of NICs on a bridge. */
export function portsOf(kernel: NetworkKernel, bridge: string): readonly string[] {
  const links = kernel.links();
  const index = links.find(link => link.name === bridge)?.index;
  return links.filter(link => link.masterIndex === index && link.kind === 'veth').map(link => link.name);
}

/** Whether packets may leave by the port that they came from, as those do that an instance sends to itself (bridge(8)). */
export async function setHairpin(ports: readonly string[], on: boolean): Promise<void> {
  for (const port of ports) {
    await writeFile(`/sys/class/net/${port}/brport/hairpin_mode`, on ? '1' : '0').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // it has left meanwhile
    });
  }
}

/** Has exactly these further subnets routed to the bridge. */
export async function ensureRoutes({ name, ipv4, ipv6 }: BridgeSettings): Promise<void> {
  for (const family of [ipv4, ipv6]) {
    if (!family) continue;
    const ip = (...words: readonly string[]): Promise<{ readonly stdout: string }> =>
      runCommand('ip', [`-${String(family.family)}`, 'route', ...words, 'dev', name, 'proto', 'static']);
    const wanted = family.routes.map(formatCidr);
    const present = (await ip('show')).stdout.split('\n').flatMap(line => line.split(' ')[0] || []);
    for (const subnet of present) if (!wanted.includes(subnet)) await ip('delete', subnet);
    for (const subnet of wanted) if (!present.includes(subnet)) await ip('replace', subnet);
  }
}
