import path from 'node:path';
import { release } from 'node:os';
import { pciAddress, usbAddress, type HostFiles } from './host-files.ts';

interface PciFacts {
  readonly driver: string;
  readonly driver_version: string;
  readonly numa_node: number;
  readonly vendor_id: string;
  readonly product_id: string;
  readonly vendor: string;
  readonly product: string;
}

interface NetworkCard extends PciFacts {
  readonly ports: unknown[];
  readonly pci_address: string;
  readonly usb_address: string;
  readonly firmware_version: string;
}

const pci = 'sys/bus/pci/devices';

/** Every PCI device; names of vendors and products are left to the client, ids are given. */
export async function readPci(files: HostFiles): Promise<unknown> {
  const devices = [];
  for (const address of await files.names(pci)) {
    const group = path.basename(await files.target(pci, address, 'iommu_group'));
    const facts = await pciFacts(files, address);
    devices.push({ ...facts, pci_address: address, iommu_group: Number(group || 0), vpd: {} });
  }
  return { devices, total: devices.length };
}

/** Display controllers: PCI class 0x03. */
export async function readGpu(files: HostFiles): Promise<unknown> {
  const cards = [];
  for (const address of await files.names(pci)) {
    if (!(await files.text(pci, address, 'class')).startsWith('0x03')) continue;
    cards.push({ ...(await pciFacts(files, address)), pci_address: address });
  }
  return { cards, total: cards.length };
}

/** Network cards that are real devices, each with its ports. */
export async function readNetwork(files: HostFiles): Promise<unknown> {
  const cards = new Map<string, NetworkCard>();
  for (const id of await files.names('sys/class/net')) {
    const device = await files.target('sys/class/net', id, 'device');
    if (device === '') continue;
    const address = pciAddress(device);
    const card: NetworkCard = cards.get(device) ?? {
      ...(await pciFacts(files, address)),
      ports: [],
      pci_address: address,
      usb_address: await usbAddress(files, device),
      firmware_version: '',
    };
    card.ports.push(await readPort(files, id));
    cards.set(device, card);
  }
  return { cards: [...cards.values()], total: cards.size };
}

async function readPort(files: HostFiles, id: string): Promise<unknown> {
  const at = (name: string): string[] => ['sys/class/net', id, name];
  return {
    id,
    address: await files.text(...at('address')),
    port: await files.number(at('dev_port')),
    protocol: 'ethernet',
    auto_negotiation: false,
    link_detected: (await files.number(at('carrier'))) === 1,
    link_speed: Math.max(0, await files.number(at('speed'))),
    link_duplex: await files.text(...at('duplex')),
  };
}

/** Devices on USB, without the hubs that the kernel makes for each bus. */
export async function readUsb(files: HostFiles): Promise<unknown> {
  const base = 'sys/bus/usb/devices';
  const devices = [];
  for (const name of await files.names(base)) {
    if (!/^\d+-[\d.]+$/.test(name)) continue;
    devices.push({
      bus_address: await files.number([base, name, 'busnum']),
      device_address: await files.number([base, name, 'devnum']),
      interfaces: [],
      vendor: await files.text(base, name, 'manufacturer'),
      vendor_id: await files.text(base, name, 'idVendor'),
      product: await files.text(base, name, 'product'),
      product_id: await files.text(base, name, 'idProduct'),
      speed: await files.number([base, name, 'speed']),
    });
  }
  return { devices, total: devices.length };
}

async function pciFacts(files: HostFiles, address: string): Promise<PciFacts> {
  const idOf = async (name: string): Promise<string> =>
    address === '' ? '' : (await files.text(pci, address, name)).replace(/^0x/, '');
  const driver = address === '' ? '' : path.basename(await files.target(pci, address, 'driver'));
  return {
    driver,
    driver_version: driver === '' ? '' : release(),
    numa_node: Math.max(0, await files.number([pci, address, 'numa_node'])),
    vendor_id: await idOf('vendor'),
    product_id: await idOf('device'),
    vendor: '',
    product: '',
  };
}
