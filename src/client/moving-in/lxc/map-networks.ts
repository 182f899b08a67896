import type { Network } from '#api/network.ts';
import { interfaceNameProblem } from '#base/names.ts';
import type { NamedLine } from './key-names.ts';
import type { Mapping } from './mapping.ts';

export interface NetworkContext {
  /** what the server has, managed and not */
  readonly networks: readonly Pick<Network, 'name' | 'type' | 'managed' | 'config'>[];
  /** takes the place of every bridge that the container was on */
  readonly network: string | undefined;
}

type Device = Record<string, string>;

/** The lines of one network, by what follows its number. */
type Fields = ReadonlyMap<string, NamedLine>;

/** "lxc.net.N.*" as NIC devices. */
export function mapNetworks(mapping: Mapping, lines: readonly NamedLine[], context: NetworkContext): void {
  const byNumber = new Map<number, Map<string, NamedLine>>();
  for (const line of lines) {
    const [, number = '', field = ''] = /^lxc\.net\.(\d{1,3})\.(.+)$/.exec(line.name) ?? [];
    if (number === '') {
      mapping.drop(line, 'names no network');
      continue;
    }
    const fields = byNumber.get(Number(number)) ?? new Map<string, NamedLine>();
    byNumber.set(Number(number), fields.set(field, line));
  }
  for (const [number, fields] of [...byNumber].sort(([one], [other]) => one - other))
    mapNetwork(mapping, number, fields, context);
}

function mapNetwork(mapping: Mapping, number: number, fields: Fields, context: NetworkContext): void {
  const type = fields.get('type');
  if (!type) {
    for (const line of fields.values()) mapping.drop(line, 'belongs to a network without a type');
    return;
  }
  const inside = fields.get('name')?.value ?? `eth${String(number)}`;
  const name = interfaceNameProblem(inside) === undefined ? inside : `eth${String(number)}`;
  const device = deviceOf(mapping, type, fields, context);
  if (device) addNic(mapping, type, { ...device, name }, fields);
  for (const [field, line] of fields) if (line !== type) mapField(mapping, field, line, device, context);
}

function addNic(mapping: Mapping, type: NamedLine, device: Device, fields: Fields): void {
  const hwaddr = fields.get('hwaddr')?.value ?? '';
  if (isAddress(hwaddr)) device['hwaddr'] = hwaddr.toLowerCase();
  const mtu = fields.get('mtu')?.value ?? '';
  if (/^\d{2,5}$/.test(mtu) && device['network'] === undefined) device['mtu'] = mtu;
  mapping.add(type, device['name'] ?? '', device);
}

/** What connects it; undefined when nothing here does. */
function deviceOf(
  mapping: Mapping,
  type: NamedLine,
  fields: Fields,
  { networks, network }: NetworkContext,
): Device | undefined {
  const link = fields.get('link')?.value ?? '';
  switch (type.value) {
    case 'veth': {
      if (link === '' && network === undefined) {
        mapping.drop(type, 'it was on no bridge');
        return undefined;
      }
      const found = networks.find(one => one.name === (network ?? link));
      if (!found) {
        mapping.refuse(type, `the server has no network "${network ?? link}": choose one with "--network"`);
        return undefined;
      }
      const address = addressIn(found, fields.get('ipv4.address')?.value);
      return found.managed
        ? { type: 'nic', network: found.name, ...(address !== undefined && { 'ipv4.address': address }) }
        : { type: 'nic', nictype: 'bridged', parent: found.name };
    }
    case 'macvlan':
    case 'ipvlan':
      return { type: 'nic', nictype: type.value, parent: link };
    case 'phys':
      return { type: 'nic', nictype: 'physical', parent: link };
    case 'vlan':
      return { type: 'nic', nictype: 'physical', parent: link, vlan: fields.get('vlan.id')?.value ?? '' };
    case 'none':
      mapping.drop(type, "it shared the host's network: it gets none here");
      return undefined;
    default:
      mapping.drop(type, type.value === 'empty' ? 'no network' : 'no such kind of network here');
      return undefined;
  }
}

function mapField(
  mapping: Mapping,
  field: string,
  line: NamedLine,
  device: Device | undefined,
  { network }: NetworkContext,
): void {
  if (!device) return mapping.drop(line, 'belongs to a network that is not taken over');
  const isTaken = (key: string, value: string): boolean => device[key] === value;
  switch (field) {
    case 'link':
      if (network === undefined || device['parent'] === line.value) return mapping.take(line, 'part of the device');
      return mapping.drop(line, `"--network ${network}" takes its place`);
    case 'name':
    case 'vlan.id':
      return mapping.take(line, 'part of the device');
    case 'hwaddr':
      if (isAddress(line.value)) return mapping.take(line, 'part of the device');
      return mapping.drop(line, 'the daemon makes an address up');
    case 'mtu':
      if (device['network'] === undefined) return mapping.take(line, 'part of the device');
      return mapping.drop(line, 'the network sets it');
    case 'flags':
      return mapping.drop(line, 'the guest brings it up');
    case 'ipv4.address':
      if (isTaken('ipv4.address', line.value.split(/[/\s]/)[0] ?? ''))
        return mapping.take(line, 'part of the device: the network hands it out by DHCP');
      return mapping.drop(line, 'set it in the guest: the network does not hand it out');
    case 'ipv6.address':
    case 'ipv4.gateway':
    case 'ipv6.gateway':
      return mapping.drop(line, 'the network announces it, or set it in the guest');
    default:
      if (field.startsWith('script.')) return mapping.drop(line, 'it would run as root of the host');
      return mapping.drop(line, 'no such option of a NIC here');
  }
}

/** "00:16:3e:xx:xx:xx" asks for a random one. */
function isAddress(text: string): boolean {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text);
}

/** The address without its prefix when the network hands addresses of that subnet out. */
function addressIn({ config }: NetworkContext['networks'][number], given = ''): string | undefined {
  const address = /^(\d{1,3}(?:\.\d{1,3}){3})(?=[/\s]|$)/.exec(given)?.[1];
  const subnet = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(config['ipv4.address'] ?? '');
  if (address === undefined || !subnet || config['ipv4.dhcp'] === 'false') return undefined;
  const bits = Number(subnet[2]);
  const host = 2 ** (32 - bits);
  const ours = numberOf(address);
  const own = numberOf(subnet[1] ?? '');
  return Math.floor(ours / host) === Math.floor(own / host) && ours !== own ? address : undefined;
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
