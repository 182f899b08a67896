import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const root = '/proc/sys/net';

/** Sets a kernel setting such as "ipv4/ip_forward"; false when this kernel has none of that name. */
export async function setSysctl(name: string, value: string): Promise<boolean> {
  const file = path.join(root, name);
  try {
    if ((await readFile(file, 'utf8')).trim() !== value) await writeFile(file, value);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Lets the host forward IPv6 without losing its own routes, which it may have from router advertisements. */
export async function forwardIpv6(): Promise<void> {
  const conf = path.join(root, 'ipv6/conf');
  for (const link of await readdir(conf).catch(() => [])) {
    const file = path.join(conf, link, 'accept_ra');
    // 1 means "unless forwarding", 2 "also when forwarding" (ip-sysctl.rst)
    const current = await readFile(file, 'utf8').catch(() => '');
    if (current.trim() === '1') await writeFile(file, '2').catch(() => undefined);
  }
  await setSysctl('ipv6/conf/all/forwarding', '1');
}

/** Makes a bridge a router's port: no addresses from elsewhere, none held back for duplicate detection. */
export async function prepareIpv6(bridge: string, enabled: boolean): Promise<void> {
  const conf = `ipv6/conf/${bridge}`;
  await setSysctl(`${conf}/autoconf`, '0');
  await setSysctl(`${conf}/accept_ra`, '0');
  await setSysctl(`${conf}/accept_dad`, '0');
  await setSysctl(`${conf}/disable_ipv6`, enabled ? '0' : '1');
}

export async function ipv6Available(): Promise<boolean> {
  const disabled = await readFile(path.join(root, 'ipv6/conf/default/disable_ipv6'), 'utf8').catch(() => '1');
  return disabled.trim() === '0';
}
