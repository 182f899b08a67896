import { randomBytes } from 'node:crypto';
import type { ConfigMap, DeviceMap } from '#api/common.ts';
import type { ContainerNic } from '../runtime/runtime.ts';
import type { DeviceContext } from './device.ts';

/** A new address in the range that LXD uses, which is Xen's. */
export function newHardwareAddress(): string {
  return `00:16:3e:${[...randomBytes(3)].map(byte => byte.toString(16).padStart(2, '0')).join(':')}`;
}

export function keepHardwareAddress(options: DeviceMap, kept: ConfigMap): ConfigMap {
  return options['hwaddr'] || kept['hwaddr'] ? {} : { hwaddr: newHardwareAddress() };
}

/** The names of one run: on the host, a new one unless given, and in the container, the same in every run. */
export function linkNames(
  options: DeviceMap,
  kept: ConfigMap,
  taken: ReadonlySet<string>,
  prefix: 'veth' | 'mac',
): ConfigMap {
  return {
    host_name: options['host_name'] || `${prefix}${randomBytes(4).toString('hex')}`,
    ...guestName(options, kept, taken),
  };
}

export function guestName(options: DeviceMap, kept: ConfigMap, taken: ReadonlySet<string>): ConfigMap {
  return options['name'] ? {} : { name: kept['name'] ?? firstFree('eth', taken) };
}

function firstFree(prefix: string, taken: ReadonlySet<string>): string {
  for (let number = 0; ; number += 1) {
    if (!taken.has(`${prefix}${String(number)}`)) return `${prefix}${String(number)}`;
  }
}

export function addressOf({ options, volatile }: DeviceContext): string {
  return (options['hwaddr'] || volatile['hwaddr']) ?? '';
}

export function hostNameOf({ volatile }: DeviceContext): string {
  return volatile['host_name'] ?? '';
}

/** What all kinds of NIC say alike of their link. */
export function linkOf<K extends ContainerNic['kind']>(context: DeviceContext, kind: K) {
  const { options, volatile } = context;
  const hardwareAddress = addressOf(context);
  return {
    kind,
    hostName: hostNameOf(context),
    name: (options['name'] || volatile['name']) ?? 'eth0',
    ...(hardwareAddress && { hardwareAddress }),
    ...(options['mtu'] && { mtu: Number(options['mtu']) }),
  };
}
