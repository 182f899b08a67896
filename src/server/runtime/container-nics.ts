import { kernel, type Kernel } from '#native/kernel.ts';
import type { ContainerNic } from './runtime.ts';

/** Makes a veth pair with one end in the network namespace of a container's init. */
export function plugNic(initPid: number, nic: ContainerNic): void {
  const mtu = nic.mtu === undefined ? {} : { mtu: nic.mtu };
  const master = nic.bridge === undefined ? {} : { master: nic.bridge };
  const settings = { ...mtu, hardwareAddress: nic.hardwareAddress, up: true };
  kernel.createVeth(nic.hostName, { up: true, ...mtu, ...master }, { name: nic.name, pid: initPid, settings });
}

/** Links of the network namespace of a container's init; empty when there is none. */
export function linksOf(initPid: number | undefined): readonly Kernel.Link[] {
  if (initPid === undefined) return [];
  try {
    return kernel.links(initPid);
  } catch {
    return []; // it is just ending
  }
}
