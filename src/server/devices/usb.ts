import type { DeviceMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { defineKeys, effectiveBoolean, type KeyTable } from '#base/config-schema.ts';
import type { DeviceContext, DeviceType } from './device.ts';
import { nodeDevice } from './node-device.ts';
import { devicesOnUsb, matches, type SysfsDevice, usbDevices } from './sysfs-devices.ts';
import { ownerKeys, ownerOf, vendorKeys } from './unix-keys.ts';
import type { UnixNode } from './unix-node.ts';

const keys = defineKeys({
  ...ownerKeys,
  ...vendorKeys,
  required: {
    type: 'boolean',
    default: 'false',
    summary: 'Refuse to start without; otherwise it comes when plugged in',
  },
});

/** USB devices of the host, by maker and kind, as libusb uses them. */
export const usb: DeviceType = nodeDevice({
  type: 'usb',
  keys,
  problem: () => undefined,
  hotplugs: () => true,
  watched: () => ['/dev/bus/usb/001/001'],
  nodes: context => matching(context, keys, usbDevices()),
});

/** What the drivers of USB devices make of them, such as serial ports and disks. */
export const unixHotplug: DeviceType = nodeDevice({
  type: 'unix-hotplug',
  keys,
  problem: (options: DeviceMap) =>
    options['vendorid'] || options['productid'] ? undefined : { key: 'vendorid', reason: 'or "productid" is required' },
  hotplugs: () => true,
  watched: () => ['/dev/any'],
  nodes: context => matching(context, keys, devicesOnUsb()),
});

function matching(
  { name, options }: DeviceContext,
  table: KeyTable,
  devices: readonly SysfsDevice[],
): readonly UnixNode[] {
  const found = devices.filter(device => matches(device, options));
  if (found.length === 0 && effectiveBoolean(table, options, 'required'))
    throw new ApiError('failed-precondition', `Device "${name}" cannot start: no such device is plugged in`);
  return found.map(({ number, node }) => ({ number, target: node, ...ownerOf(options) }));
}
