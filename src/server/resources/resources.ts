import { readCpu } from './cpu.ts';
import { readGpu, readNetwork, readPci, readUsb } from './devices.ts';
import { HostFiles } from './host-files.ts';
import { readMemory } from './memory.ts';
import { readStorage } from './storage.ts';
import { readSystem } from './system.ts';

/** GET /1.0/resources: the host's hardware as /proc and /sys show it. */
export async function readResources(files = new HostFiles()): Promise<unknown> {
  const [cpu, memory, gpu, network, storage, usb, pci, system] = await Promise.all([
    readCpu(files),
    readMemory(files),
    readGpu(files),
    readNetwork(files),
    readStorage(files),
    readUsb(files),
    readPci(files),
    readSystem(files),
  ]);
  return { cpu, memory, gpu, network, storage, usb, pci, system };
}
