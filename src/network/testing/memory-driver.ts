import { ApiError } from '#api/error.ts';
import type { ConfigMap } from '#api/common.ts';
import type { NetworkLease, NetworkState } from '#api/network.ts';
import { bridgeKeys } from '../bridge/config-keys.ts';
import type {
  NetworkContext,
  NetworkDriver,
  NetworkPolicies,
  NetworkType,
  NicAttachment,
  NicPlace,
  NicReservation,
} from '../driver.ts';
import { formatAddress, formatCidr, networkOf, parseCidr } from '../ip-address.ts';

/** What "the host" holds of memory networks: it outlives drivers as the kernel does. */
export interface MemoryHost {
  readonly started: Map<string, ConfigMap>;
  readonly nics: Map<string, Map<string, NicReservation>>;
  /** policies by name of the network */
  readonly policies: Map<string, NetworkPolicies>;
  /** names of networks whose start fails */
  readonly broken: Set<string>;
}

export function memoryHost(): MemoryHost {
  return { started: new Map(), nics: new Map(), policies: new Map(), broken: new Set() };
}

/** A network without a kernel, for tests of the layers above. */
export class MemoryNetwork implements NetworkDriver {
  readonly type = 'bridge';
  readonly #context: NetworkContext;
  readonly #host: MemoryHost;
  #config: ConfigMap;
  #policies: NetworkPolicies;

  constructor(context: NetworkContext, host: MemoryHost) {
    this.#context = context;
    this.#config = context.config;
    this.#policies = context.policies;
    this.#host = host;
  }

  async start(): Promise<void> {
    const { name } = this.#context;
    if (this.#host.broken.has(name)) throw new ApiError('failed-precondition', `Network "${name}" is broken`);
    this.#host.started.set(name, this.#config);
    this.#host.policies.set(name, this.#policies);
    if (!this.#host.nics.has(name)) this.#host.nics.set(name, new Map());
  }

  async stop(): Promise<void> {
    this.#host.started.delete(this.#context.name);
    this.#host.nics.delete(this.#context.name);
  }

  async release(): Promise<void> {}

  async heal(): Promise<readonly string[]> {
    if (this.#host.started.has(this.#context.name)) return [];
    await this.start();
    return ['the bridge is gone'];
  }

  async update(config: ConfigMap, policies: NetworkPolicies): Promise<void> {
    this.#config = config;
    this.#policies = policies;
    await this.start();
  }

  async reserve(nics: readonly NicReservation[]): Promise<void> {
    this.#host.nics.set(this.#context.name, new Map(nics.map(nic => [`${nic.instance}.${nic.device}`, nic])));
  }

  async attach(nic: NicAttachment): Promise<NicPlace> {
    this.#nics().set(`${nic.instance}.${nic.device}`, nic);
    const { ipv4Address, ipv6Address } = nic;
    return {
      bridge: this.#context.name,
      ...(ipv4Address && { ipv4: ipv4Address }),
      ...(ipv6Address && { ipv6: ipv6Address }),
    };
  }

  async joined(): Promise<void> {}

  async detach(): Promise<void> {}

  async leases(): Promise<readonly NetworkLease[]> {
    const own = parseCidr(this.#config['ipv4.address'] ?? '');
    const gateway = own
      ? [{ hostname: `${this.#context.name}.gw`, hwaddr: '', address: formatAddress(own), type: 'gateway' as const }]
      : [];
    const fixed = [...this.#nics().values()].flatMap(nic =>
      [nic.ipv4Address, nic.ipv6Address].flatMap(address =>
        address === undefined
          ? []
          : [{ hostname: nic.hostName, hwaddr: nic.hardwareAddress, address, type: 'static' as const }],
      ),
    );
    return [...gateway, ...fixed].map(lease => ({ ...lease, location: lease.type === 'gateway' ? '' : 'none' }));
  }

  async state(): Promise<NetworkState> {
    this.#nics();
    const own = parseCidr(this.#config['ipv4.address'] ?? '');
    return {
      addresses: own
        ? [{ family: 'inet', address: formatAddress(own), netmask: String(own.prefixLength), scope: 'global' }]
        : [],
      counters: { bytes_received: 0, bytes_sent: 0, packets_received: 0, packets_sent: 0 },
      hwaddr: this.#config['bridge.hwaddr'] ?? '',
      mtu: Number(this.#config['bridge.mtu'] ?? '1500'),
      state: 'up',
      type: 'broadcast',
      bridge: null,
      bond: null,
      vlan: null,
      ovn: null,
    };
  }

  #nics(): Map<string, NicReservation> {
    const nics = this.#host.nics.get(this.#context.name);
    if (!nics) throw new ApiError('unavailable', `Network "${this.#context.name}" is not started`);
    return nics;
  }
}

/** Counts its "auto" subnets upwards from 10.200.0.1/24, so that tests know them. */
export function memoryType(host: MemoryHost): NetworkType {
  return {
    name: 'bridge',
    keys: bridgeKeys,
    create: context => new MemoryNetwork(context, host),
    completeConfig: (config, { creating, taken }) => {
      const wanted = config['ipv4.address'] ?? (creating ? 'auto' : '');
      if (wanted !== 'auto') return Promise.resolve(config);
      let third = 0;
      while (taken.includes(`10.200.${String(third)}.0/24`)) third += 1;
      return Promise.resolve({ ...config, 'ipv4.address': `10.200.${String(third)}.1/24`, 'ipv4.nat': 'true' });
    },
    problem: () => undefined,
    subnets: config => {
      const own = parseCidr(config['ipv4.address'] ?? '');
      return own ? [formatCidr(networkOf(own))] : [];
    },
  };
}
