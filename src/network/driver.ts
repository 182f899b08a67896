import type { NetworkLease, NetworkState } from '#api/network.ts';
import type { ConfigMap } from '#api/common.ts';
import type { KeyTable } from '#base/config-schema.ts';
import type { Log } from '#base/log.ts';

/** A NIC of an instance as its network sees it. */
export interface NicAttachment {
  /** unique per host: containerId and device name, e.g. "c1" and "eth0" */
  readonly instance: string;
  readonly device: string;
  /** name to publish in DNS, e.g. "c1" for c1.lxd */
  readonly hostName: string;
  /** host end of the veth pair */
  readonly hostInterface: string;
  readonly hardwareAddress: string;
  /** static leases */
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
}

/**
 * One managed network. Methods may be called twice; `stop` and `detach` succeed when there is nothing left. A daemon
 * that restarts calls `start` again: what runs and is right stays untouched.
 */
export interface NetworkDriver {
  readonly type: string;
  /** Makes link, addresses, DHCP, DNS and firewall as the config says; heals what is missing or wrong. */
  start(): Promise<void>;
  /** Removes all of it from the host. */
  stop(): Promise<void>;
  /** Stops watching and leaves everything as it is, for a daemon that ends. */
  release(): Promise<void>;
  /** Looks whether all is in place and puts back what is not; says in words what was wrong. Cheap when all is well. */
  heal(): Promise<readonly string[]>;
  /** Takes over a changed config; NICs that are attached stay. */
  update(config: ConfigMap): Promise<void>;
  /** Prepares lease, DNS name and filter of a NIC; returns the host link to join. */
  attach(nic: NicAttachment): Promise<{ readonly bridge: string }>;
  detach(nic: Pick<NicAttachment, 'instance' | 'device'>): Promise<void>;
  leases(): Promise<readonly NetworkLease[]>;
  state(): Promise<NetworkState>;
}

/** What a driver is made from. */
export interface NetworkContext {
  readonly name: string;
  readonly config: ConfigMap;
  /** absolute folder for dnsmasq's files */
  readonly folder: string;
  /** nft table (families inet and bridge) of this daemon */
  readonly firewallTable: string;
  readonly log: Log;
}

export interface NetworkType {
  readonly name: string;
  readonly keys: KeyTable;
  create(context: NetworkContext): NetworkDriver;
  /** Fills in what the user asked to choose ("auto") and, when creating, left out: the config that is stored. */
  completeConfig(config: ConfigMap, options: CompleteOptions): Promise<ConfigMap>;
  /** Why the config is refused as a whole, naming the key; undefined when it is good. */
  problem(name: string, config: ConfigMap): string | undefined;
  /** Subnets that the network occupies, in CIDR notation; no two networks may share one. */
  subnets(config: ConfigMap): readonly string[];
  /** Texts for people about what on this host stands in the way of the network's traffic. */
  warnings(context: Pick<NetworkContext, 'name' | 'firewallTable'>): Promise<readonly string[]>;
}

export interface CompleteOptions {
  readonly creating: boolean;
  /** subnets of other networks, whether they are up or not */
  readonly taken: readonly string[];
}
