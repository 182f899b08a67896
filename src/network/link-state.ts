import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { NetworkState } from '#api/network.ts';
import type { Kernel } from '#native/kernel.ts';

/** What the states of networks and of instances say alike of a link; IFF_UP is of netdevice(7). */
export function commonLinkState({ addresses, counters, hardwareAddress, mtu, flags }: Kernel.Link) {
  return {
    addresses: addresses.map(({ family, address, prefixLength, scope }) => ({
      family,
      address,
      netmask: String(prefixLength),
      scope,
    })),
    counters: {
      bytes_received: counters.bytesReceived,
      bytes_sent: counters.bytesSent,
      packets_received: counters.packetsReceived,
      packets_sent: counters.packetsSent,
    },
    hwaddr: flags & 0x8 ? '' : hardwareAddress,
    mtu,
    state: flags & 0x1 ? ('up' as const) : ('down' as const),
  };
}

/** What the kernel knows of a link, as GET /1.0/networks/NAME/state gives it. */
export function linkState(link: Kernel.Link): NetworkState {
  return {
    ...commonLinkState(link),
    type: link.flags & 0x8 ? 'loopback' : link.flags & 0x10 ? 'point-to-point' : 'broadcast',
    bridge: link.kind === 'bridge' ? bridgeState(link.name) : null,
    bond: null,
    vlan: null,
    ovn: null,
  };
}

function bridgeState(name: string): NetworkState['bridge'] {
  const folder = path.join('/sys/class/net', name);
  const read = (file: string): string => {
    try {
      return readFileSync(path.join(folder, 'bridge', file), 'utf8').trim();
    } catch {
      return ''; // the bridge has gone meanwhile
    }
  };
  let ports: string[] = [];
  try {
    ports = readdirSync(path.join(folder, 'brif'));
  } catch {
    // likewise
  }
  return {
    id: read('bridge_id'),
    stp: read('stp_state') === '1',
    forward_delay: Number(read('forward_delay')),
    vlan_default: Number(read('default_pvid')),
    vlan_filtering: read('vlan_filtering') === '1',
    upper_devices: ports,
  };
}
