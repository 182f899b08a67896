import type { DeviceMap, DevicesMap } from '#api/common.ts';
import { effective, effectiveBoolean } from '#base/config-schema.ts';
import { prepareRoutedLink, routeToGuest, type RoutedFamily, withdrawProxies } from '#network/routed-link.ts';
import { probeAddresses } from '#network/neighbour-probe.ts';
import { subnetsOf } from '#network/nic-routes.ts';
import type { DeviceContext, DeviceProblem, DeviceType, RuntimePart } from './device.ts';
import { hostNameOf, keepHardwareAddress, linkNames, linkOf } from './nic-common.ts';
import { routedKeys } from './nic-keys.ts';
import { ensureParent, parentVolatile, releaseParent } from './nic-parent.ts';
import { applyLimits, removeHostEnd } from './nic-traffic.ts';

/** A veth pair with addresses of its own, which the host routes to it and answers for on its own network. */
export const nicRouted: DeviceType = {
  type: 'nic',
  keys: routedKeys,
  problem(options: DeviceMap): DeviceProblem | undefined {
    for (const ip of ['ipv4', 'ipv6']) {
      if (options[`${ip}.routes`] && !options[`${ip}.address`])
        return { key: `${ip}.routes`, reason: `requires "${ip}.address" to be set` };
    }
    if (options['vlan'] && !options['parent']) return { key: 'vlan', reason: 'can only be set with "parent"' };
    return undefined;
  },
  keep: keepHardwareAddress,
  perRun: (options, kept, taken) => ({
    ...linkNames(options, kept, taken, 'veth'),
    ...(options['parent'] && parentVolatile(options)),
  }),
  link: context => linkOf(context, 'veth'),
  async start(context: DeviceContext): Promise<RuntimePart> {
    const { options } = context;
    const families = familiesOf(options);
    const parent = options['parent'] ? await ensureParent(context) : undefined;
    if (parent !== undefined) {
      await prepareRoutedLink(parent, families);
      const probed = families.filter(({ family }) =>
        effectiveBoolean(routedKeys, options, `ipv${String(family)}.neighbor_probe`),
      );
      await probeAddresses(
        parent,
        probed.flatMap(({ addresses }) => addresses),
      );
    }
    const addresses = families.flatMap(one =>
      one.addresses.map(address => `${address}/${one.family === 4 ? '32' : '128'}`),
    );
    const gateways = families.flatMap(one =>
      value(options, one.family, 'gateway') === 'auto' ? [one.hostAddress] : [],
    );
    return { nics: [{ ...linkOf(context, 'veth'), addresses, gateways }], mounts: [] };
  },
  async started(context: DeviceContext): Promise<void> {
    await routeToGuest(hostNameOf(context), parentOf(context), familiesOf(context.options));
    await applyLimits(context);
  },
  async update(context: DeviceContext, before: DeviceMap): Promise<void> {
    await applyLimits(context, before);
  },
  async stop(context: DeviceContext): Promise<void> {
    removeHostEnd(context);
    const parent = parentOf(context);
    if (parent !== undefined) await withdrawProxies(parent, familiesOf(context.options));
    releaseParent(context);
  },
};

/** Two NICs cannot both be the way to everywhere. */
export function gatewayProblem(devices: DevicesMap): { readonly device: string; readonly message: string } | undefined {
  for (const family of [4, 6] as const) {
    const [other, device] = Object.keys(devices).filter(name => {
      const options = devices[name] ?? {};
      const isRouted = options['type'] === 'nic' && options['nictype'] === 'routed';
      return isRouted && value(options, family, 'gateway') === 'auto';
    });
    if (other === undefined || device === undefined) continue;
    return { device, message: `Existing NIC "${other}" already uses "ipv${String(family)}.gateway" in auto mode` };
  }
  return undefined;
}

function familiesOf(options: DeviceMap): readonly RoutedFamily[] {
  return ([4, 6] as const).flatMap(family => {
    const addresses = subnetsOf(options[`ipv${String(family)}.address`]);
    if (addresses.length === 0) return [];
    const table = value(options, family, 'host_table');
    return [
      {
        family,
        addresses,
        hostAddress: value(options, family, 'host_address') ?? '',
        routes: subnetsOf(value(options, family, 'routes')),
        ...(table !== undefined && { table }),
      },
    ];
  });
}

function value(options: DeviceMap, family: 4 | 6, key: string): string | undefined {
  return effective(routedKeys, options, `ipv${String(family)}.${key}`);
}

function parentOf({ options }: DeviceContext): string | undefined {
  return options['parent']
    ? options['vlan']
      ? `${options['parent']}.${options['vlan']}`
      : options['parent']
    : undefined;
}
