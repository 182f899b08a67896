import type { ConfigMap, DeviceMap } from '#api/common.ts';
import { ruleOf } from '#base/config-schema.ts';
import type { DeviceContext, DeviceFacts, DeviceProblem, DeviceType } from './device.ts';
import { nicIpvlan, nicOvn, nicSriov } from './nic-absent.ts';
import { nicBridged } from './nic-bridged.ts';
import { nicMacvlan } from './nic-macvlan.ts';
import { nicP2p } from './nic-p2p.ts';
import { nicPhysical } from './nic-physical.ts';
import { nicRouted } from './nic-routed.ts';

const kinds: ReadonlyMap<string, DeviceType> = new Map(
  Object.entries({
    bridged: nicBridged,
    ipvlan: nicIpvlan,
    macvlan: nicMacvlan,
    ovn: nicOvn,
    p2p: nicP2p,
    physical: nicPhysical,
    routed: nicRouted,
    sriov: nicSriov,
  }),
);

const byNetwork: ReadonlyMap<string, DeviceType> = new Map(
  Object.entries({ bridge: nicBridged, macvlan: nicMacvlan, physical: nicPhysical }),
);

/** Options that the network decides. */
const ofNetwork = ['nictype', 'parent', 'mtu', 'maas.subnet.ipv4', 'maas.subnet.ipv6'] as const;
const ofParent = [...ofNetwork, 'vlan', 'gvrp'] as const;

/** The kind of a NIC, by its "nictype" or left to its network; undefined when there is none of that name. */
export function nicOf(options: DeviceMap): DeviceType {
  return options['network'] ? nicOnNetwork : (kinds.get(options['nictype'] ?? '') ?? nicOfNoKind);
}

/** What has neither: the keys are those of a NIC, so that what is missing is what is told. */
const nicOfNoKind: DeviceType = {
  ...nicBridged,
  keys: {
    ...nicBridged.keys,
    nictype: {
      type: 'enum',
      values: [...kinds.keys()],
      summary: 'Kind of NIC; given by the network when there is one',
    },
  },
};

/** A NIC of which the network says the kind: one that another kind has is as if its network had told all of it. */
const nicOnNetwork: DeviceType = {
  type: 'nic',
  keys: { ...nicPhysical.keys, ...nicMacvlan.keys, ...nicOfNoKind.keys },
  problem(options: DeviceMap, facts: DeviceFacts): DeviceProblem | undefined {
    const network = facts.networks.get(options['network'] ?? '');
    if (!network)
      return { key: 'network', reason: `names the network "${options['network'] ?? ''}", which does not exist` };
    const decided = (network.type === 'bridge' ? ofNetwork : ofParent).find(key => options[key]);
    if (decided !== undefined) return { key: decided, reason: 'cannot be set with "network"' };
    const kind = byNetwork.get(network.type) ?? nicBridged;
    const unknown = Object.keys(options).find(key => key !== 'type' && !ruleOf(kind.keys, key));
    if (unknown !== undefined) return { key: unknown, reason: `is not for NICs on networks of type "${network.type}"` };
    return kind.problem(options, facts);
  },
  keep: (options, kept) => nicBridged.keep?.(options, kept) ?? {},
  perRun(options, kept, taken, networks): ConfigMap {
    const network = networks.get(options['network'] ?? '');
    const kind = byNetwork.get(network?.type ?? '') ?? nicBridged;
    const all = kind === nicBridged ? options : { ...options, ...decidedBy(network?.config ?? {}) };
    return kind.perRun?.(all, kept, taken, networks) ?? {};
  },
  link(context) {
    const { kind, whole } = resolve(context);
    return kind.link?.(whole) ?? { kind: 'veth', hostName: '', name: '' };
  },
  start(context) {
    const { kind, whole } = resolve(context);
    return kind.start(whole);
  },
  async started(context) {
    const { kind, whole } = resolve(context);
    await kind.started?.(whole);
  },
  async update(context, before) {
    const { kind, whole } = resolve(context);
    await kind.update?.(whole, before);
  },
  stop(context) {
    const { kind, whole } = resolve(context);
    return kind.stop(whole);
  },
};

/** The kind of a NIC in use, and its options with what its network decides. */
function resolve(context: DeviceContext): { readonly kind: DeviceType; readonly whole: DeviceContext } {
  const network = context.services.networks.find(context.options['network'] ?? '');
  const kind = byNetwork.get(network?.type ?? '') ?? nicBridged;
  const decided = network?.parent?.();
  return { kind, whole: decided ? { ...context, options: { ...context.options, ...decidedBy(decided) } } : context };
}

function decidedBy(config: ConfigMap): DeviceMap {
  return Object.fromEntries(
    ['parent', 'mtu', 'vlan', 'gvrp'].flatMap(key => (config[key] ? [[key, config[key]]] : [])),
  );
}
