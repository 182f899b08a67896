import { isDeepStrictEqual } from 'node:util';
import { ApiError, invalid } from '#api/error.ts';
import type { ConfigMap } from '#api/common.ts';
import type { NetworkLease, NetworkState } from '#api/network.ts';
import { Lane } from '#base/lane.ts';
import { objectNameProblem } from '#base/names.ts';
import * as check from '../checks.ts';
import { renderHost } from '../dnsmasq/config-file.ts';
import { DnsmasqService } from '../dnsmasq/service.ts';
import type {
  NetworkContext,
  NetworkDriver,
  NetworkPolicies,
  NicAttachment,
  NicPlace,
  NicReservation,
} from '../driver.ts';
import { formatAddress } from '../ip-address.ts';
import type { NetworkKernel } from '../kernel-calls.ts';
import { linkState } from '../link-state.ts';
import { ensureChains, hasChains, removeChains } from '../nftables/firewall.ts';
import { networkChainNames, networkChains } from '../nftables/ruleset.ts';
import { bridgeLeases } from './leases.ts';
import { ensureLink, ensureRoutes, findLink, joinLinks, leaveLinks, linkFaults, portsOf, setHairpin } from './link.ts';
import { nicKey, planHosts, type ReservedHost } from './reservations.ts';
import { type BridgeSettings, bridgeSettings } from './settings.ts';
import { ensureTunnels, removeTunnels } from './tunnels.ts';

// reading the firewall takes a process; links and dnsmasq are looked at every time
const firewallCheckMs = 10_000;

/** A bridge of this host's own: link, addresses, dnsmasq and firewall rules. */
export class BridgeDriver implements NetworkDriver {
  readonly type = 'bridge';
  readonly #context: NetworkContext;
  readonly #kernel: NetworkKernel;
  readonly #dnsmasq: DnsmasqService;
  readonly #changes = new Lane(1);
  /** host interfaces on the bridge as last seen: they rejoin when it was deleted */
  readonly #ports = new Set<string>();
  readonly #attached = new Map<string, string>();
  #reserved: ReadonlyMap<string, NicReservation> = new Map();
  #settings: BridgeSettings;
  #policies: NetworkPolicies;
  #started = false;
  #firewallSeen = 0;

  constructor(context: NetworkContext, kernel: NetworkKernel) {
    this.#context = context;
    this.#kernel = kernel;
    this.#settings = bridgeSettings(context.name, context.config);
    this.#policies = context.policies;
    this.#dnsmasq = new DnsmasqService(context.name, context.folder, kernel, context.log);
  }

  async start(): Promise<void> {
    await this.#changes.run(() => this.#ensure());
  }

  async stop(): Promise<void> {
    await this.#changes.run(async () => {
      const { name, firewallTable } = this.#context;
      this.#started = false;
      await this.#dnsmasq.stop();
      await removeChains('inet', firewallTable, networkChainNames(name));
      removeTunnels(this.#kernel, name);
      leaveLinks(this.#kernel, name, this.#settings.externalInterfaces);
      if (findLink(this.#kernel, name)?.kind === 'bridge') this.#kernel.deleteLink(name);
      this.#ports.clear();
      this.#attached.clear();
    });
  }

  release(): Promise<void> {
    return this.#changes.run(async () => {
      this.#started = false;
      this.#dnsmasq.release();
    });
  }

  async heal(): Promise<readonly string[]> {
    return this.#changes.run(async () => {
      if (!this.#started) return [];
      const faults = await this.#faults();
      if (faults.length > 0) await this.#ensure();
      return faults;
    });
  }

  async update(config: ConfigMap, policies: NetworkPolicies): Promise<void> {
    await this.#changes.run(async () => {
      const before = this.#settings;
      this.#settings = bridgeSettings(this.#context.name, config);
      this.#policies = policies;
      const dropped = before.externalInterfaces.filter(name => !this.#settings.externalInterfaces.includes(name));
      leaveLinks(this.#kernel, this.#context.name, dropped);
      await this.#ensure(before);
    });
  }

  async reserve(nics: readonly NicReservation[]): Promise<void> {
    // one that cannot be published must not keep the others from it
    const known = nics.filter(nic => {
      const problem = nicProblem(nic);
      if (problem) this.#context.log.warning(`Left out a NIC of network "${this.#context.name}"`, { nic, problem });
      return problem === undefined;
    });
    await this.#changes.run(async () => {
      this.#reserved = new Map(known.map(nic => [nicKey(nic), nic]));
      await this.#publish();
    });
  }

  async attach(nic: NicAttachment): Promise<NicPlace> {
    if (!this.#started) throw new ApiError('unavailable', `Network "${this.#context.name}" is not started`);
    const problem = nicProblem(nic) ?? problemOf('host_name', check.interfaceName(nic.hostInterface));
    if (problem) throw problem;
    const host = await this.#changes.run(async () => {
      this.#reserved = new Map([...this.#reserved, [nicKey(nic), nic]]);
      return (await this.#publish()).get(nicKey(nic));
    });
    this.#attached.set(nicKey(nic), nic.hostInterface);
    this.#ports.add(nic.hostInterface);
    return {
      bridge: this.#context.name,
      ...(host?.ipv4 && { ipv4: formatAddress(host.ipv4) }),
      ...(host?.ipv6 && { ipv6: formatAddress(host.ipv6) }),
    };
  }

  async joined({ hostInterface }: Pick<NicAttachment, 'hostInterface'>): Promise<void> {
    await setHairpin([hostInterface], this.#policies.forwards.length > 0);
  }

  async detach(nic: Pick<NicAttachment, 'instance' | 'device'>): Promise<void> {
    const hostInterface = this.#attached.get(nicKey(nic));
    this.#attached.delete(nicKey(nic));
    if (hostInterface !== undefined) this.#ports.delete(hostInterface);
  }

  async leases(): Promise<readonly NetworkLease[]> {
    return bridgeLeases(this.#settings, [...this.#reserved.values()], await this.#dnsmasq.leases());
  }

  state(): Promise<NetworkState> {
    const link = findLink(this.#kernel, this.#context.name);
    if (!link) {
      return Promise.reject(new ApiError('unavailable', `The bridge of network "${this.#context.name}" is gone`));
    }
    return Promise.resolve(linkState(link));
  }

  async #ensure(before?: BridgeSettings): Promise<void> {
    const { name, firewallTable, log } = this.#context;
    const settings = this.#settings;
    const made = await ensureLink(this.#kernel, settings);
    const chains = networkChains(settings, this.#policies);
    await ensureChains('inet', firewallTable, networkChainNames(name), chains);
    this.#firewallSeen = performance.now();
    if (hasRoutes(settings) || (before && hasRoutes(before))) await ensureRoutes(settings);
    joinLinks(this.#kernel, name, settings.externalInterfaces, log);
    if (made) joinLinks(this.#kernel, name, this.#presentPorts(), log);
    const again = before !== undefined && !isDeepStrictEqual(before.tunnels, settings.tunnels);
    await ensureTunnels(this.#kernel, name, settings.tunnels, { mtu: settings.mtu, again });
    await setHairpin(portsOf(this.#kernel, name), this.#policies.forwards.length > 0);
    if (before) await this.#publish();
    // sockets that were bound to the former bridge are of no use
    if (servesGuests(settings)) await this.#dnsmasq.ensure(settings, { restart: made });
    else await this.#dnsmasq.stop();
    this.#started = true;
  }

  async #faults(): Promise<readonly string[]> {
    const links = this.#kernel.links();
    const link = links.find(candidate => candidate.name === this.#context.name);
    if (link) this.#rememberPorts(links.filter(port => port.masterIndex === link.index).map(port => port.name));
    const faults = [...linkFaults(link, this.#settings)];
    if (servesGuests(this.#settings) && !(await this.#dnsmasq.healthy())) faults.push('dnsmasq does not run');
    if (performance.now() - this.#firewallSeen > firewallCheckMs) {
      this.#firewallSeen = performance.now();
      const { name, firewallTable } = this.#context;
      const chains = networkChains(this.#settings, this.#policies);
      const whole = await hasChains('inet', firewallTable, networkChainNames(name), chains);
      if (!whole) faults.push('firewall rules are gone');
    }
    return faults;
  }

  #rememberPorts(names: readonly string[]): void {
    this.#ports.clear();
    for (const name of [...names, ...this.#attached.values()]) this.#ports.add(name);
  }

  #presentPorts(): readonly string[] {
    return this.#kernel
      .links()
      .flatMap(({ name, masterIndex }) => (this.#ports.has(name) && masterIndex === 0 ? name : []));
  }

  /** Tells dnsmasq of all NICs that are reserved. */
  async #publish(): Promise<ReadonlyMap<string, ReservedHost>> {
    const known = { hosts: await this.#dnsmasq.hosts(), leases: await this.#dnsmasq.leases() };
    const planned = planHosts(this.#settings, [...this.#reserved.values()], known);
    await this.#dnsmasq.setHosts(new Map([...planned].map(([key, host]) => [key, renderHost(host)])));
    return planned;
  }
}

/** What ends up in dnsmasq's files or as a file name is checked here too, whoever calls. */
function nicProblem(nic: NicReservation): ApiError | undefined {
  return (
    problemOf('instance', objectNameProblem(nic.instance.slice(-63))) ??
    problemOf('instance', nic.instance.includes('/') ? 'must not hold a slash' : undefined) ??
    problemOf('device', objectNameProblem(nic.device)) ??
    problemOf('hostName', check.domain(nic.hostName)) ??
    problemOf('hwaddr', check.hardwareAddress(nic.hardwareAddress))
  );
}

function problemOf(field: string, problem: string | undefined): ApiError | undefined {
  return problem === undefined ? undefined : invalid(field, problem);
}

function servesGuests(settings: BridgeSettings): boolean {
  return settings.ipv4 !== undefined || settings.ipv6 !== undefined;
}

function hasRoutes({ ipv4, ipv6 }: BridgeSettings): boolean {
  return (ipv4?.routes.length ?? 0) + (ipv6?.routes.length ?? 0) > 0;
}
