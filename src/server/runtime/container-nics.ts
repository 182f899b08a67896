import { runCommand } from '#base/run-command.ts';
import { kernel, type Kernel } from '#native/kernel.ts';
import type { ContainerNic, NicPlug } from './runtime.ts';

/** Has a link in the network namespace of a container's init, as liblxc makes it at start, or nothing. */
export async function plugNic(initPid: number, nic: ContainerNic): Promise<void> {
  await moveIn(initPid, nic);
  try {
    await ip(initPid, [
      ...(nic.kind === 'veth' ? [] : [`link set dev ${nic.name} up`]),
      ...(nic.addresses ?? []).map(one => `address add ${one} dev ${nic.name}${one.includes(':') ? ' nodad' : ''}`),
      ...(nic.gateways ?? []).flatMap(gateway => [
        `route replace ${gateway} dev ${nic.name}`,
        `route replace default via ${gateway} dev ${nic.name}`,
      ]),
    ]);
  } catch (error) {
    await unplugNic(initPid, nic);
    throw error;
  }
}

async function moveIn(initPid: number, nic: ContainerNic): Promise<void> {
  const mtu = nic.mtu === undefined ? {} : { mtu: nic.mtu };
  const address = nic.hardwareAddress === undefined ? {} : { hardwareAddress: nic.hardwareAddress };
  const place = `netns ${String(initPid)}`;
  switch (nic.kind) {
    case 'veth': {
      const master = nic.bridge === undefined ? {} : { master: nic.bridge };
      const settings = { ...mtu, ...address, up: true };
      kernel.createVeth(nic.hostName, { up: true, ...mtu, ...master }, { name: nic.name, pid: initPid, settings });
      break;
    }
    case 'macvlan': {
      const { name, parent = '', hardwareAddress } = nic;
      const own = [hardwareAddress && `address ${hardwareAddress}`, nic.mtu && `mtu ${String(nic.mtu)}`];
      const words = [`link add link ${parent} name ${name}`, ...own, place, 'type macvlan mode bridge'];
      await ip(undefined, [words.filter(Boolean).join(' ')]);
      break;
    }
    case 'physical':
      kernel.changeLink(nic.hostName, { up: false });
      kernel.changeLink(nic.hostName, { ...mtu, ...address });
      await ip(undefined, [`link set dev ${nic.hostName} ${place} name ${nic.name}`]);
      break;
  }
}

/** Takes a link out of a container; one of the host's comes back under the name that it had there. */
export async function unplugNic(initPid: number | undefined, nic: NicPlug): Promise<void> {
  if (nic.kind === 'veth') {
    kernel.deleteLink(nic.hostName);
    return;
  }
  // The guest may have renamed it.
  const links = linksOf(initPid);
  const same = (link: Kernel.Link): boolean => link.hardwareAddress === nic.hardwareAddress?.toLowerCase();
  const found = links.find(link => link.name === nic.name) ?? links.find(same);
  if (initPid === undefined || !found) return;
  const back = `netns ${String(process.pid)} name ${nic.hostName}`;
  const change =
    nic.kind === 'macvlan'
      ? [`link delete dev ${found.name}`]
      : [`link set dev ${found.name} down`, `link set dev ${found.name} ${back}`];
  await ip(initPid, change);
}

/** Runs commands of the host's ip(8), in the network of a container's init if given. */
async function ip(initPid: number | undefined, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const options = { input: `${lines.join('\n')}\n`, timeoutMs: 10_000 };
  const batch = ['-batch', '-'];
  if (initPid === undefined) await runCommand('ip', batch, options);
  else await runCommand('nsenter', [`--net=/proc/${String(initPid)}/ns/net`, '--', 'ip', ...batch], options);
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
