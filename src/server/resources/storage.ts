import { pciAddress, usbAddress, type HostFiles } from './host-files.ts';

const sectorBytes = 512; // the unit of "size" in sysfs, whatever the disk's sectors are

/** Disks of the host without loop, RAM and mapped devices; sizes in bytes. */
export async function readStorage(files: HostFiles): Promise<unknown> {
  const names = (await files.names('sys/class/block')).filter(name => !/^(loop|ram|zram|dm-|md|sr|fd)\d*/.test(name));
  const disks = [];
  for (const name of names) {
    if ((await files.text('sys/class/block', name, 'partition')) !== '') continue;
    disks.push(await readDisk(files, name, names));
  }
  return { disks, total: disks.length };
}

async function readDisk(files: HostFiles, id: string, names: readonly string[]): Promise<unknown> {
  const at = (...parts: readonly string[]): string[] => ['sys/class/block', id, ...parts];
  const devicePath = await files.target(...at());
  const partitions = [];
  for (const name of names) {
    const partition = await files.number(['sys/class/block', name, 'partition'], -1);
    if (partition < 0 || !(await files.target('sys/class/block', name)).startsWith(`${devicePath}/`)) continue;
    partitions.push({
      id: name,
      device: await files.text('sys/class/block', name, 'dev'),
      read_only: (await files.number(['sys/class/block', name, 'ro'])) === 1,
      size: (await files.number(['sys/class/block', name, 'size'])) * sectorBytes,
      partition,
    });
  }
  const rotational = (await files.number(at('queue', 'rotational'))) === 1;
  return {
    id,
    device: await files.text(...at('dev')),
    model: await files.text(...at('device', 'model')),
    type: diskType(id),
    read_only: (await files.number(at('ro'))) === 1,
    size: (await files.number(at('size'))) * sectorBytes,
    removable: (await files.number(at('removable'))) === 1,
    numa_node: Math.max(0, await files.number(at('device', 'numa_node'))),
    device_path: '',
    block_size: await files.number(at('queue', 'logical_block_size')),
    firmware_version: await files.text(...at('device', 'firmware_rev')),
    rpm: rotational ? 1 : 0,
    serial: await files.text(...at('serial')),
    device_id: '',
    partitions,
    pci_address: pciAddress(devicePath),
    usb_address: await usbAddress(files, devicePath),
    wwn: await files.text(...at('wwid')),
  };
}

function diskType(id: string): string {
  if (id.startsWith('nvme')) return 'nvme';
  if (id.startsWith('vd')) return 'virtio';
  if (id.startsWith('sd')) return 'scsi';
  return id.startsWith('mmcblk') ? 'mmc' : 'other';
}
