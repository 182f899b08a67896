import { ApiError, invalid } from '#api/error.ts';
import type { NetworkForward, NetworkForwardPort, NetworkForwardPut } from '#api/network-forward.ts';
import { hasControlCharacters } from '#base/names.ts';
import { contains, formatAddress, type IpAddress, parseAddress, parseCidr } from '#network/ip-address.ts';
import { eachPort, parsePorts } from '#network/nftables/port-list.ts';
import type { NetworkRecord } from '../database/networks.ts';
import { checkUserConfig } from './check-acl.ts';
import { checkDescription, withoutEmpty } from './check-network.ts';

const targetKey = { target_address: { type: 'string', summary: 'Where ports go that are not listed' } } as const;

/** The listen address in its canonical form; throws "invalid-argument". */
export function checkListenAddress(text: string): string {
  const address = parseAddress(text);
  if (!address) throw invalid('listen_address', `must be an IP address, not "${text}"`);
  return formatAddress(address);
}

/** A forward as it is stored; throws "invalid-argument" naming what is wrong with it on this network. */
export function checkForward(
  network: Pick<NetworkRecord, 'config'>,
  listenAddress: string,
  { description = '', config, ports }: NetworkForwardPut,
): NetworkForward {
  checkDescription(description);
  checkUserConfig(config ?? {}, targetKey);
  const listen = parseAddress(listenAddress);
  if (!listen) throw invalid('listen_address', 'must be an IP address');
  const target = config?.['target_address'];
  if (target) checkTarget(network, listen, target, problem => `${problem[0]?.toUpperCase() ?? ''}${problem.slice(1)}`);
  const checked = (ports ?? []).map((port, index) => checkPort(network, listen, port, index));
  checkOverlaps(checked);
  return {
    description,
    config: withoutEmpty(config ?? {}),
    ports: checked,
    listen_address: formatAddress(listen),
    location: 'none',
  };
}

/** Throws unless the target is an address of the network, of the family of the listen address. */
function checkTarget(
  { config }: Pick<NetworkRecord, 'config'>,
  listen: IpAddress,
  text: string,
  sentence: (problem: string) => string,
): void {
  const refuse = (problem: string): ApiError => new ApiError('invalid-argument', sentence(problem));
  const address = parseAddress(text);
  if (!address) throw refuse('invalid default target address');
  if (address.family !== listen.family)
    throw refuse('cannot mix IP versions in listen address and default target address');
  const subnet = parseCidr(config[`ipv${String(address.family)}.address`] ?? '');
  if (!subnet || !contains(subnet, address)) throw refuse('default target address is not within the network subnet');
}

function checkPort(
  network: Pick<NetworkRecord, 'config'>,
  listen: IpAddress,
  given: Partial<NetworkForwardPort>,
  index: number,
): NetworkForwardPort {
  const where = `in port specification ${String(index)}`;
  const refuse = (problem: string): ApiError => new ApiError('invalid-argument', `${problem} ${where}`);
  const { description = '', protocol = '', target_address: target = '' } = given;
  const listenPort = spaceless(given.listen_port);
  const targetPort = spaceless(given.target_port);
  if (hasControlCharacters(description)) throw refuse('Line breaks or control characters in "description"');
  if (!['tcp', 'udp'].includes(protocol))
    throw refuse(`Invalid port protocol ${where}, protocol must be one of: tcp, udp;`);
  if (!parseAddress(target)) throw refuse('Invalid target address');
  checkTarget(network, listen, target, problem =>
    problem.startsWith('cannot mix')
      ? `Cannot mix IP versions in listen address and port specification ${String(index)} target address`
      : `Target address is not within the network subnet ${where}`,
  );
  if (listenPort === '') throw refuse('Missing listen port');
  const from = portsOf(listenPort);
  if (!from) throw refuse(`Invalid listen port "${listenPort}"`);
  const to = targetPort === '' ? from : portsOf(targetPort);
  if (!to) throw refuse(`Invalid target port "${targetPort}"`);
  if (to.length !== 1 && to.length !== from.length) throw refuse('Mismatch of listen port(s) and target port(s) count');
  return {
    description,
    protocol,
    listen_port: listenPort,
    target_port: targetPort,
    target_address: formatAddress(parseAddress(target) ?? listen),
  };
}

function spaceless(text = ''): string {
  return text.replaceAll(' ', '');
}

/** Port 0 is none (RFC 6335, 6). */
function portsOf(text: string): readonly number[] | undefined {
  const ranges = parsePorts(text);
  return ranges?.some(([first]) => first === 0) === false ? eachPort(ranges) : undefined;
}

function checkOverlaps(ports: readonly NetworkForwardPort[]): void {
  const taken = new Set<string>();
  for (const [index, { protocol, listen_port: text }] of ports.entries()) {
    for (const port of portsOf(text) ?? []) {
      const key = `${protocol}/${String(port)}`;
      if (taken.has(key)) {
        const what = `Duplicate listen port ${String(port)} for protocol "${protocol}"`;
        throw new ApiError('invalid-argument', `${what} in port specification ${String(index)}`);
      }
      taken.add(key);
    }
  }
}
