import type { ConfigMap } from '#api/common.ts';
import type { NetworkAcl } from '#api/network-acl.ts';
import type { NetworkForward } from '#api/network-forward.ts';
import type { NetworkLease, NetworkState } from '#api/network.ts';
import type { KeyTable } from '#base/config-schema.ts';
import type { Log } from '#base/log.ts';

/** A NIC of an instance, running or not, as DHCP and DNS of its network know it. */
export interface NicReservation {
  /** unique per host: containerId and device name, e.g. "c1" and "eth0" */
  readonly instance: string;
  readonly device: string;
  /** name to publish in DNS, e.g. "c1" for c1.lxd */
  readonly hostName: string;
  readonly hardwareAddress: string;
  /** static leases; "none" = the NIC gets no address of the family */
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  /** the NIC may only use addresses that it got: one is kept for it when it has none by config */
  readonly ipv4Filtering?: boolean;
  readonly ipv6Filtering?: boolean;
}

/** A NIC of an instance that is about to run. */
export interface NicAttachment extends NicReservation {
  /** host end of the veth pair */
  readonly hostInterface: string;
}

/** What a NIC gets from its network. */
export interface NicPlace {
  /** host link to join */
  readonly bridge: string;
  /** the addresses it may use, where they are filtered; none = undefined */
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/** Access lists of a network and what names in their rules stand for. */
export interface AclPolicies {
  /** those of "security.acls", in its order */
  readonly lists: readonly Pick<NetworkAcl, 'name' | 'ingress' | 'egress'>[];
  /** subnets of the networks that each list of the server is on, by its name */
  readonly subnets: Readonly<Record<string, readonly string[]>>;
}

/** What else than its config a network's firewall rules come from. */
export interface NetworkPolicies {
  readonly acls: AclPolicies;
  readonly forwards: readonly NetworkForward[];
}

export const noPolicies: NetworkPolicies = { acls: { lists: [], subnets: {} }, forwards: [] };

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
  /** Takes over changed config and policies; NICs that are attached stay. */
  update(config: ConfigMap, policies: NetworkPolicies): Promise<void>;
  /** Says which NICs there are, running or not: their leases and names are published, those of others withdrawn. */
  reserve(nics: readonly NicReservation[]): Promise<void>;
  /** Prepares lease and DNS name of a NIC that is about to run; may be called again for one that runs. */
  attach(nic: NicAttachment): Promise<NicPlace>;
  /** The host link of a NIC is there and on the bridge. */
  joined(nic: Pick<NicAttachment, 'hostInterface'>): Promise<void>;
  /** Config that decides what NICs are made of, for networks that lie on a host interface. */
  parent?(): ConfigMap;
  /** The NIC runs no more; its lease and name stay until `reserve` leaves them out. */
  detach(nic: Pick<NicAttachment, 'instance' | 'device'>): Promise<void>;
  leases(): Promise<readonly NetworkLease[]>;
  state(): Promise<NetworkState>;
}

/** What a driver is made from. */
export interface NetworkContext {
  readonly name: string;
  readonly config: ConfigMap;
  readonly policies: NetworkPolicies;
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
}

export interface CompleteOptions {
  readonly creating: boolean;
  /** subnets of other networks, whether they are up or not */
  readonly taken: readonly string[];
}
