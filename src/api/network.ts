import type { ConfigMap } from './common.ts';

/** GET /1.0/networks/{name} */
export interface Network {
  readonly name: string;
  readonly description: string;
  readonly type: string;
  readonly managed: boolean;
  readonly status: string;
  readonly config: ConfigMap;
  readonly locations: readonly string[];
  readonly used_by: readonly string[];
}

export interface NetworksPost {
  readonly name: string;
  readonly type?: string;
  readonly description?: string;
  readonly config?: ConfigMap;
}

export interface NetworkPut {
  readonly description?: string;
  readonly config?: ConfigMap;
}

/** A member of GET /1.0/networks/{name}/leases */
export interface NetworkLease {
  readonly hostname: string;
  readonly hwaddr: string;
  readonly address: string;
  readonly type: 'static' | 'dynamic' | 'gateway';
  readonly location: string;
}

/** GET /1.0/networks/{name}/state */
export interface NetworkState {
  readonly addresses: readonly {
    readonly family: 'inet' | 'inet6';
    readonly address: string;
    readonly netmask: string;
    readonly scope: string;
  }[];
  readonly counters: {
    readonly bytes_received: number;
    readonly bytes_sent: number;
    readonly packets_received: number;
    readonly packets_sent: number;
  };
  readonly hwaddr: string;
  readonly mtu: number;
  readonly state: 'up' | 'down';
  readonly type: string;
  readonly bridge: {
    readonly id: string;
    readonly stp: boolean;
    readonly forward_delay: number;
    readonly vlan_default: number;
    readonly vlan_filtering: boolean;
    readonly upper_devices: readonly string[];
  } | null;
  readonly bond: null;
  readonly vlan: null;
  readonly ovn: null;
}
