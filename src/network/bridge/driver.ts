import { ApiError, invalid } from '#api/error.ts';
import type { ConfigMap } from '#api/common.ts';
import type { NetworkLease, NetworkState } from '#api/network.ts';
import { Lane } from '#base/lane.ts';
import { instanceNameProblem, objectNameProblem } from '#base/names.ts';
import * as check from '../checks.ts';
import { renderHost } from '../dnsmasq/config-file.ts';
import { DnsmasqService } from '../dnsmasq/service.ts';
import type { NetworkContext, NetworkDriver, NicAttachment } from '../driver.ts';
import { parseAddress } from '../ip-address.ts';
import type { NetworkKernel } from '../kernel-calls.ts';
import { linkState } from '../link-state.ts';
import { ensureNetworkRules, hasNetworkRules, removeNetworkRules } from '../nftables/firewall.ts';
import { bridgeLeases } from './leases.ts';
import { ensureLink, ensureRoutes, findLink, joinLinks, leaveLinks, linkFaults } from './link.ts';
import { type BridgeSettings, bridgeSettings } from './settings.ts';

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
  #settings: BridgeSettings;
  #started = false;
  #firewallSeen = 0;

  constructor(context: NetworkContext, kernel: NetworkKernel) {
    this.#context = context;
    this.#kernel = kernel;
    this.#settings = bridgeSettings(context.name, context.config);
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
      await removeNetworkRules(firewallTable, name);
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

  async update(config: ConfigMap): Promise<void> {
    await this.#changes.run(async () => {
      const before = this.#settings;
      this.#settings = bridgeSettings(this.#context.name, config);
      const dropped = before.externalInterfaces.filter(name => !this.#settings.externalInterfaces.includes(name));
      leaveLinks(this.#kernel, this.#context.name, dropped);
      await this.#ensure(before);
    });
  }

  async attach(nic: NicAttachment): Promise<{ readonly bridge: string }> {
    if (!this.#started) throw new ApiError('unavailable', `Network "${this.#context.name}" is not started`);
    checkNic(nic);
    const line = renderHost({
      hardwareAddress: nic.hardwareAddress,
      ipv4: this.#staticAddress(nic.ipv4Address, 4),
      ipv6: this.#staticAddress(nic.ipv6Address, 6),
      name: this.#settings.dnsMode === 'managed' ? nic.hostName : undefined,
    });
    await this.#dnsmasq.setHost(nicKey(nic), line);
    this.#attached.set(nicKey(nic), nic.hostInterface);
    this.#ports.add(nic.hostInterface);
    return { bridge: this.#context.name };
  }

  async detach(nic: Pick<NicAttachment, 'instance' | 'device'>): Promise<void> {
    const key = nicKey(nic);
    const hostInterface = this.#attached.get(key);
    this.#attached.delete(key);
    if (hostInterface !== undefined) this.#ports.delete(hostInterface);
    await this.#dnsmasq.removeHost(key);
  }

  async leases(): Promise<readonly NetworkLease[]> {
    return bridgeLeases(this.#settings, await this.#dnsmasq.hosts(), await this.#dnsmasq.leases());
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
    await ensureNetworkRules(firewallTable, settings);
    this.#firewallSeen = performance.now();
    if (hasRoutes(settings) || (before && hasRoutes(before))) await ensureRoutes(settings);
    joinLinks(this.#kernel, name, settings.externalInterfaces, log);
    if (made) joinLinks(this.#kernel, name, this.#presentPorts(), log);
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
      const whole = await hasNetworkRules(this.#context.firewallTable, this.#settings);
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

  #staticAddress(text: string | undefined, family: 4 | 6): ReturnType<typeof parseAddress> {
    if (text === undefined || text === '' || text === 'none') return undefined;
    const address = parseAddress(text, family);
    if (!address) throw invalid(`ipv${String(family)}.address`, `must be an IPv${String(family)} address`);
    return address;
  }
}

function nicKey({ instance, device }: Pick<NicAttachment, 'instance' | 'device'>): string {
  return `${instance}.${device}`;
}

/** What ends up in dnsmasq's files or as a file name is checked here too, whoever calls. */
function checkNic(nic: NicAttachment): void {
  const problems = [
    ['instance', objectNameProblem(nic.instance.slice(-63))],
    ['device', objectNameProblem(nic.device)],
    ['hostName', instanceNameProblem(nic.hostName)],
    ['hwaddr', check.hardwareAddress(nic.hardwareAddress)],
    ['host_name', check.interfaceName(nic.hostInterface)],
  ] as const;
  for (const [field, problem] of problems) if (problem !== undefined) throw invalid(field, problem);
  if (nicKey(nic).includes('/')) throw invalid('instance', 'must not hold a slash');
}

function servesGuests(settings: BridgeSettings): boolean {
  return settings.ipv4 !== undefined || settings.ipv6 !== undefined;
}

function hasRoutes({ ipv4, ipv6 }: BridgeSettings): boolean {
  return (ipv4?.routes.length ?? 0) + (ipv6?.routes.length ?? 0) > 0;
}
