import type { NetworkForward, NetworkForwardPort } from '#api/network-forward.ts';
import type { Chain } from './chain.ts';
import { eachPort, parsePorts } from './port-list.ts';

interface Mapping {
  readonly listen: string;
  readonly target: string;
  /** absent for all that no port takes */
  readonly port?: { readonly protocol: string; readonly listen: number; readonly target: number };
}

/** Chains that send what comes to a listen address on to its targets; none without targets. */
export function forwardChains(network: string, forwards: readonly NetworkForward[]): readonly Chain[] {
  const mappings = [...forwards.flatMap(portMappings), ...forwards.flatMap(defaultMapping)];
  if (mappings.length === 0) return [];
  const translations = mappings.map(translation);
  return [
    { name: `fwdprert.${network}`, hook: 'nat hook prerouting priority dstnat', rules: translations },
    { name: `fwdout.${network}`, hook: 'nat hook output priority -100', rules: translations },
    // an instance that speaks to itself by its outer address
    { name: `fwdpstrt.${network}`, hook: 'nat hook postrouting priority srcnat', rules: mappings.map(hairpin) },
  ];
}

function portMappings({ listen_address: listen, ports }: NetworkForward): readonly Mapping[] {
  return ports.flatMap(port =>
    portPairs(port).map(([from, to]) => ({
      listen,
      target: port.target_address,
      port: { protocol: port.protocol, listen: from, target: to },
    })),
  );
}

/** Listen and target port of each forwarded port. */
export function portPairs(port: NetworkForwardPort): readonly (readonly [listen: number, target: number])[] {
  const listen = eachPort(parsePorts(port.listen_port) ?? []);
  const target = port.target_port === '' ? listen : eachPort(parsePorts(port.target_port) ?? []);
  return listen.map((from, index) => [from, (target.length === 1 ? target[0] : target[index]) ?? from] as const);
}

function defaultMapping({ listen_address: listen, config }: NetworkForward): readonly Mapping[] {
  const target = config['target_address'];
  return target ? [{ listen, target }] : [];
}

function translation({ listen, target, port }: Mapping): string {
  const ip = familyOf(listen);
  if (!port) return `${ip} daddr ${listen} dnat ${ip} to ${target}`;
  const host = ip === 'ip' ? target : `[${target}]`;
  const match = `${ip} daddr ${listen} ${port.protocol} dport ${String(port.listen)}`;
  return `${match} dnat ${ip} to ${host}:${String(port.target)}`;
}

function hairpin({ listen, target, port }: Mapping): string {
  const ip = familyOf(listen);
  const match = `${ip} saddr ${target} ${ip} daddr ${target}`;
  return port ? `${match} ${port.protocol} dport ${String(port.target)} masquerade` : `${match} masquerade`;
}

function familyOf(address: string): 'ip' | 'ip6' {
  return address.includes(':') ? 'ip6' : 'ip';
}
