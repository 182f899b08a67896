import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import type { Kernel } from '#native/kernel.ts';
import { parseAddress } from '../ip-address.ts';
import type { NetworkKernel } from '../kernel-calls.ts';

/** A link of the bridge to bridges of other hosts. */
export interface Tunnel {
  readonly name: string;
  readonly protocol: 'gre' | 'vxlan' | undefined;
  readonly local: string | undefined;
  readonly remote: string | undefined;
  /** of a VXLAN */
  readonly id: string;
  readonly port: string | undefined;
  readonly group: string;
  readonly interface: string | undefined;
  readonly ttl: string;
}

const defaults = { id: '1', group: '239.0.0.1', ttl: '1' } as const;

/** Tunnels of a config that has passed its key table, by name. */
export function tunnelsOf(config: ConfigMap): readonly Tunnel[] {
  const names = new Set(
    Object.entries(config).flatMap(([key, value]) => {
      const name = /^tunnel\.([^.]+)\.[a-z]+$/.exec(key)?.[1];
      return name === undefined || value === '' ? [] : [name];
    }),
  );
  return [...names].sort().map(name => {
    const value = (key: string): string | undefined => config[`tunnel.${name}.${key}`] || undefined;
    return {
      name,
      protocol: value('protocol') as Tunnel['protocol'],
      local: value('local'),
      remote: value('remote'),
      id: value('id') ?? defaults.id,
      port: value('port'),
      group: value('group') ?? defaults.group,
      interface: value('interface'),
      ttl: value('ttl') ?? defaults.ttl,
    };
  });
}

/** Why a tunnel cannot be made, naming the key; one without protocol is not made. */
export function tunnelProblem(bridge: string, tunnel: Tunnel): string | undefined {
  const key = (name: string): string => `"tunnel.${tunnel.name}.${name}"`;
  if (linkOf(bridge, tunnel).length > 15 || !/^[A-Za-z0-9_-]+$/.test(tunnel.name)) {
    return `"tunnel.${tunnel.name}": the name must be of letters and digits and, after "${bridge}-", at most 15 long`;
  }
  if (tunnel.protocol === undefined) return undefined;
  const { local, remote } = tunnel;
  if (tunnel.protocol === 'gre' && (!local || !remote)) return `${key(local ? 'remote' : 'local')} is required for GRE`;
  if (Boolean(local) !== Boolean(remote)) return `${key(local ? 'remote' : 'local')} is required with the other end`;
  if (local && remote && parseAddress(local)?.family !== parseAddress(remote)?.family) {
    return `${key('remote')} must be of the same family as ${key('local')}`;
  }
  return undefined;
}

/** Has exactly these tunnels on the bridge; `again` makes them anew, for settings that have changed. */
export async function ensureTunnels(
  kernel: NetworkKernel,
  bridge: string,
  tunnels: readonly Tunnel[],
  options: { readonly mtu: number; readonly again: boolean },
): Promise<void> {
  const wanted = new Map(tunnels.filter(({ protocol }) => protocol).map(tunnel => [linkOf(bridge, tunnel), tunnel]));
  const present = tunnelLinks(kernel, bridge);
  for (const { name } of present) if (options.again || !wanted.has(name)) kernel.deleteLink(name);
  for (const [link, tunnel] of wanted) {
    if (options.again || !present.some(({ name }) => name === link)) await addTunnel(kernel, bridge, tunnel);
    kernel.changeLink(link, { master: bridge, mtu: options.mtu, up: true });
  }
}

export function removeTunnels(kernel: NetworkKernel, bridge: string): void {
  for (const { name } of tunnelLinks(kernel, bridge)) kernel.deleteLink(name);
}

function tunnelLinks(kernel: NetworkKernel, bridge: string): readonly Kernel.Link[] {
  return kernel
    .links()
    .filter(({ name, kind }) => name.startsWith(`${bridge}-`) && ['vxlan', 'gretap', 'ip6gretap'].includes(kind));
}

function linkOf(bridge: string, { name }: Pick<Tunnel, 'name'>): string {
  return `${bridge}-${name}`;
}

async function addTunnel(kernel: NetworkKernel, bridge: string, tunnel: Tunnel): Promise<void> {
  const words = tunnel.protocol === 'gre' ? greWords(tunnel) : await vxlanWords(kernel, tunnel);
  try {
    await runCommand('ip', ['link', 'add', linkOf(bridge, tunnel), ...words]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const reason = /Unknown device type/.test(error.stderr)
      ? `this kernel has no "${words[1] ?? ''}" links`
      : error.stderr.trim().replace(/\s*\n\s*/g, ' | ');
    throw new ApiError('failed-precondition', `Cannot make tunnel "${tunnel.name}" of network "${bridge}": ${reason}`);
  }
}

function greWords({ local = '', remote = '' }: Tunnel): readonly string[] {
  const type = local.includes(':') ? 'ip6gretap' : 'gretap';
  return ['type', type, 'local', local, 'remote', remote];
}

async function vxlanWords(kernel: NetworkKernel, tunnel: Tunnel): Promise<readonly string[]> {
  // 8472 is what Linux took before the port was assigned, and LXD with it
  const common = ['type', 'vxlan', 'id', tunnel.id, 'dstport', tunnel.port ?? '8472'];
  if (tunnel.local && tunnel.remote) return [...common, 'local', tunnel.local, 'remote', tunnel.remote];
  const link = tunnel.interface ?? (await defaultInterface(tunnel));
  if (!kernel.links().some(({ name }) => name === link)) {
    throw new ApiError('failed-precondition', `Cannot make tunnel "${tunnel.name}": the host has no "${link}"`);
  }
  return [...common, 'ttl', tunnel.ttl, 'group', tunnel.group, 'dev', link];
}

/** The link of the default route of the group's family. */
async function defaultInterface({ name, group }: Tunnel): Promise<string> {
  const family = group.includes(':') ? '-6' : '-4';
  const { stdout } = await runCommand('ip', [family, 'route', 'show', 'default']);
  const link = / dev (\S+)/.exec(stdout)?.[1];
  if (link !== undefined) return link;
  const advice = `set "tunnel.${name}.interface"`;
  throw new ApiError('failed-precondition', `Cannot make tunnel "${name}": the host has no default route; ${advice}`);
}
