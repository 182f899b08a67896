import { ApiError } from '#api/error.ts';
import type { InstanceFiles } from '../resources/instance-files.ts';
import { readAll } from '../transport.ts';

/** Behind the name of what was there before. */
const kept = '.before-move';

/**
 * Changes the few files of a machine that moved in which would keep it from starting well: each stays as it was beside
 * the new one. Tells what it changed.
 */
export async function settleIn(files: InstanceFiles): Promise<readonly string[]> {
  const guest = new Guest(files);
  await withoutDisks(guest);
  await networkOf(guest);
  await withoutCloudInit(guest);
  return guest.changes;
}

/** A guest's files through the API, which opens them with the guest's rights. */
class Guest {
  readonly changes: string[] = [];
  readonly #files: InstanceFiles;

  constructor(files: InstanceFiles) {
    this.#files = files;
  }

  async read(path: string): Promise<string | undefined> {
    return await this.#unlessMissing(async () => {
      const answer = await this.#files.get(path);
      return answer.headers['x-lxd-type'] === 'directory' ? undefined : await readAll(answer.body);
    });
  }

  async names(folder: string): Promise<readonly string[] | undefined> {
    const entries = await this.#unlessMissing(() => this.#files.list(folder));
    return entries?.map(entry => (typeof entry === 'string' ? entry : entry.name));
  }

  async write(path: string, text: string, mode: string, what: string): Promise<void> {
    const before = await this.read(path);
    if (before === text) return;
    if (before !== undefined) await this.#put(`${path}${kept}`, before, mode);
    await this.#put(path, text, mode);
    this.changes.push(`${path}: ${what}${before === undefined ? '' : `; as it was in ${path}${kept}`}`);
  }

  /** Takes a file out of the way. */
  async setAside(path: string): Promise<void> {
    const before = await this.read(path);
    if (before === undefined) return;
    await this.#put(`${path}${kept}`, before, '0600');
    await this.#files.delete(path);
    this.changes.push(`${path}: is now ${path}${kept}`);
  }

  async #put(path: string, text: string, mode: string): Promise<void> {
    const headers = { 'x-lxd-type': 'file', 'x-lxd-uid': '0', 'x-lxd-gid': '0', 'x-lxd-mode': mode };
    await this.#files.put(path, { headers: { ...headers, 'x-lxd-write': 'overwrite' }, upload: Buffer.from(text) });
  }

  async #unlessMissing<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (ApiError.is(error, 'not-found')) return undefined;
      throw error;
    }
  }
}

async function withoutDisks(guest: Guest): Promise<void> {
  const text = await guest.read('/etc/fstab');
  if (text === undefined) return;
  await guest.write('/etc/fstab', withoutDiskEntries(text), '0644', 'disks are commented out');
}

/** fstab(5) with the lines of disks as comments: a container has none, and would wait for them. */
export function withoutDiskEntries(text: string): string {
  return text
    .split('\n')
    .map(line => {
      const [source = '', target = '', type = ''] = line.trim().split(/\s+/);
      const isDisk = /^(\/dev\/|(PART)?(UUID|LABEL)=|ID=)/.test(source) || type === 'swap' || target === '/';
      return line.trim() === '' || source.startsWith('#') || !isDisk ? line : `# ${line}`;
    })
    .join('\n');
}

const interfaces = 'auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n';
const networkd = '[Match]\nName=eth0\n\n[Network]\nDHCP=yes\n';
const netplan = 'network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n      dhcp6: true\n';
const networkManager =
  '[connection]\nid=eth0\ntype=ethernet\ninterface-name=eth0\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n';

/** The NIC is called eth0 now, and its network hands addresses out. */
async function networkOf(guest: Guest): Promise<void> {
  const dhcp = 'eth0 asks for an address by DHCP';
  const plans = (await guest.names('/etc/netplan'))?.filter(name => name.endsWith('.yaml')) ?? [];
  if (plans.length > 0) {
    for (const name of plans) if (name !== 'eth0.yaml') await guest.setAside(`/etc/netplan/${name}`);
    return await guest.write('/etc/netplan/eth0.yaml', netplan, '0600', dhcp);
  }
  if ((await guest.names('/etc/NetworkManager/system-connections')) !== undefined)
    await guest.write('/etc/NetworkManager/system-connections/eth0.nmconnection', networkManager, '0600', dhcp);
  const wanted = await guest.names('/etc/systemd/system/multi-user.target.wants');
  if (wanted?.includes('systemd-networkd.service'))
    await guest.write('/etc/systemd/network/00-eth0.network', networkd, '0644', dhcp);
  if ((await guest.read('/etc/network/interfaces')) !== undefined)
    await guest.write('/etc/network/interfaces', interfaces, '0644', dhcp);
}

/** It would take the machine for a new one, and make new host keys. */
async function withoutCloudInit(guest: Guest): Promise<void> {
  if ((await guest.read('/etc/cloud/cloud.cfg')) === undefined) return;
  await guest.write('/etc/cloud/cloud-init.disabled', '', '0644', 'cloud-init would take it for a new machine');
}
