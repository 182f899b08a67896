import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import type { DeviceNumber } from '../runtime/runtime.ts';

/** A device that the kernel shows in /sys, with its node in /dev. */
export interface SysfsDevice {
  readonly number: DeviceNumber;
  /** absolute path of the node */
  readonly node: string;
  readonly vendor: string;
  readonly product: string;
}

/** USB devices themselves (not what their drivers make of them). */
export function usbDevices(sys = '/sys'): readonly SysfsDevice[] {
  const folder = path.join(sys, 'bus/usb/devices');
  return names(folder).flatMap(name => {
    const device = path.join(folder, name);
    const [vendor, product] = [text(device, 'idVendor'), text(device, 'idProduct')];
    const number = numberIn(device, 'char');
    const [bus, address] = [Number(text(device, 'busnum')), Number(text(device, 'devnum'))];
    if (!vendor || !number) return [];
    const node = `/dev/bus/usb/${padded(bus)}/${padded(address)}`;
    return [{ number, node, vendor, product: product ?? '' }];
  });
}

/** Every character and block device that belongs to a USB device, such as a serial port or a disk. */
export function devicesOnUsb(sys = '/sys'): readonly SysfsDevice[] {
  return (['char', 'block'] as const).flatMap(kind => {
    const folder = path.join(sys, 'dev', kind);
    return names(folder).flatMap(name => {
      const device = realpathSync(path.join(folder, name));
      const number = numberIn(device, kind);
      const parent = usbParent(device, sys);
      const node = /^DEVNAME=(.+)$/m.exec(text(device, 'uevent') ?? '')?.[1];
      if (!parent || parent === device || !number || !node) return [];
      const [vendor, product] = [text(parent, 'idVendor') ?? '', text(parent, 'idProduct') ?? ''];
      return [{ number, node: `/dev/${node}`, vendor, product }];
    });
  });
}

/** Whether a device is the one that vendorid and productid ask for; what is not set matches all. */
export function matches(
  device: Pick<SysfsDevice, 'vendor' | 'product'>,
  options: Readonly<Record<string, string | undefined>>,
): boolean {
  const { vendorid, productid } = options;
  return (!vendorid || device.vendor === vendorid) && (!productid || device.product === productid);
}

export function numberIn(device: string, kind: 'char' | 'block'): DeviceNumber | undefined {
  const match = /^(\d+):(\d+)$/.exec(text(device, 'dev') ?? '');
  return match ? { kind, major: Number(match[1]), minor: Number(match[2]) } : undefined;
}

/** Text of an attribute; undefined when there is none. */
export function text(device: string, attribute: string): string | undefined {
  try {
    return readFileSync(path.join(device, attribute), 'utf8').trim();
  } catch {
    return undefined;
  }
}

export function names(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function usbParent(device: string, sys: string): string | undefined {
  const end = realpathSync(sys);
  for (let folder = device; folder.length > end.length; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'idVendor'))) return folder;
  }
  return undefined;
}

function padded(value: number): string {
  return String(value).padStart(3, '0');
}
