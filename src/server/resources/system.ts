import type { HostFiles } from './host-files.ts';

const base = 'sys/class/dmi/id';

/** What the firmware says of the machine (SMBIOS); empty where there is none. */
export async function readSystem(files: HostFiles): Promise<unknown> {
  const text = (name: string): Promise<string> => files.text(base, name);
  const cpuFlags = (await files.text('proc/cpuinfo')).split('\n').find(line => line.startsWith('flags')) ?? '';
  return {
    uuid: await text('product_uuid'),
    vendor: await text('sys_vendor'),
    product: await text('product_name'),
    family: await text('product_family'),
    version: await text('product_version'),
    sku: await text('product_sku'),
    serial: await text('product_serial'),
    type: / hypervisor\b/.test(cpuFlags) ? 'virtual-machine' : 'physical',
    firmware: {
      vendor: await text('bios_vendor'),
      date: await text('bios_date'),
      version: await text('bios_version'),
    },
    chassis: {
      vendor: await text('chassis_vendor'),
      type: await text('chassis_type'),
      serial: await text('chassis_serial'),
      version: await text('chassis_version'),
    },
    motherboard: {
      vendor: await text('board_vendor'),
      product: await text('board_name'),
      serial: await text('board_serial'),
      version: await text('board_version'),
    },
  };
}
