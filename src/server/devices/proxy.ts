import { lstat, rm } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import type { DeviceMap, DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { defineKeys, effectiveBoolean, type KeyRule } from '#base/config-schema.ts';
import { ensureProxyTranslation, removeProxyTranslation } from '#network/proxy-translation.ts';
import { type DeviceContext, type DeviceProblem, type DeviceType, nothing } from './device.ts';
import { pairAddresses, parseProxyAddress, type ProxyAddress } from './proxy-address.ts';

const id: KeyRule = { type: 'integer', min: 0, max: 2 ** 32 - 2, summary: 'Number of a user or group' };

const keys = defineKeys({
  listen: { type: 'string', summary: 'Address to listen on, such as tcp:0.0.0.0:80', check: addressProblem },
  connect: { type: 'string', summary: 'Address to connect to, such as tcp:127.0.0.1:80', check: addressProblem },
  bind: {
    type: 'enum',
    values: ['host', 'instance', 'guest', 'container'],
    default: 'host',
    summary: 'Side that listens; "guest" and "container" stand for "instance"',
  },
  uid: { ...id, summary: 'Owner of a unix socket that is listened on' },
  gid: { ...id, summary: 'Group of a unix socket that is listened on' },
  mode: {
    type: 'string',
    summary: 'Mode of a unix socket that is listened on, in octal digits',
    check: value => (/^0?[0-7]{3}$/.test(value) ? undefined : 'must be octal digits such as "0660"'),
  },
  nat: { type: 'boolean', default: 'false', summary: 'Translate addresses in the kernel instead of passing bytes on' },
  proxy_protocol: { type: 'boolean', default: 'false', summary: "Send HAProxy's PROXY line, which names the client" },
  'security.uid': { ...id, summary: 'User that the proxy becomes' },
  'security.gid': { ...id, summary: 'Group that the proxy becomes' },
});

/** Connections from the host to the instance, or the other way round. */
export const proxy: DeviceType = {
  type: 'proxy',
  keys,
  problem: problemOf,
  start: async () => Promise.resolve(nothing),
  async started(context: DeviceContext): Promise<void> {
    const { services, instance, name, options } = context;
    if (isTranslated(options)) {
      await ensureProxyTranslation(services.networks.firewallTable, {
        instance,
        device: name,
        pairs: pairsOf(options),
      });
      return;
    }
    try {
      await services.runtime.proxies.start(instance, name, {
        listener: listensInside(options) ? 'instance' : 'host',
        rules: pairsOf(options),
        announces: effectiveBoolean(keys, options, 'proxy_protocol'),
        socket: socketOwner(options),
        ...(drops(options) && {
          user: { uid: Number(options['security.uid'] || 0), gid: Number(options['security.gid'] || 0) },
        }),
      });
    } catch (error) {
      if (!ApiError.is(error)) throw error;
      throw new ApiError(error.code, `Device "${name}" cannot start: ${error.message}`, { cause: error });
    }
  },
  async stop({ services, instance, name, options }: DeviceContext): Promise<void> {
    if (isTranslated(options)) {
      await removeProxyTranslation(services.networks.firewallTable, { instance, device: name });
      return;
    }
    await services.runtime.proxies.stop(instance, name);
    const { transport, host } = address(options, 'listen');
    if (transport === 'unix' && !host.startsWith('@') && !listensInside(options)) await removeSocket(host);
  },
};

/** A NAT proxy can only lead to an address that one of the instance's NICs always has. */
export function translationProblem(devices: DevicesMap): (DeviceProblem & { readonly device: string }) | undefined {
  const nics = Object.values(devices).filter(options => options['type'] === 'nic');
  for (const [device, options] of Object.entries(devices)) {
    if (options['type'] !== 'proxy' || !isTranslated(options)) continue;
    const { host } = address(options, 'connect');
    const key = isIPv6(host) ? 'ipv6.address' : 'ipv4.address';
    if (!nics.some(nic => nic[key] === host))
      return { device, key: 'connect', reason: `must be the "${key}" of a NIC of the instance when "nat" is set` };
  }
  return undefined;
}

function problemOf(options: DeviceMap): DeviceProblem | undefined {
  for (const key of ['listen', 'connect']) if (!options[key]) return { key, reason: 'is required' };
  const listen = address(options, 'listen');
  const connect = address(options, 'connect');
  if (connect.ports.length > 1 && connect.ports.length !== listen.ports.length)
    return { key: 'connect', reason: 'must have one port, or as many as "listen"' };
  if (listen.transport !== 'unix') {
    const key = ['uid', 'gid', 'mode'].find(name => options[name]);
    if (key !== undefined) return { key, reason: 'is only for unix sockets that are listened on' };
  }
  if (effectiveBoolean(keys, options, 'proxy_protocol') && (connect.transport !== 'tcp' || isTranslated(options)))
    return { key: 'proxy_protocol', reason: 'needs a tcp address to connect to, and no "nat"' };
  return isTranslated(options) ? translatedProblem(options, listen, connect) : undefined;
}

function translatedProblem(options: DeviceMap, listen: ProxyAddress, connect: ProxyAddress): DeviceProblem | undefined {
  const key = 'nat';
  if (listensInside(options)) return { key, reason: 'needs "bind" to be "host"' };
  if (listen.transport === 'unix' || listen.transport !== connect.transport)
    return { key, reason: 'needs tcp or udp on both sides, the same' };
  if (isIPv6(listen.host) !== isIPv6(connect.host)) return { key, reason: 'needs addresses of the same version of IP' };
  if (isWildcard(listen.host)) return { key: 'listen', reason: 'must be one address when "nat" is set' };
  return undefined;
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** Options are checked key by key before they are used. */
function address(options: DeviceMap, key: 'listen' | 'connect'): ProxyAddress {
  const parsed = parseProxyAddress(options[key] ?? '');
  if (!parsed) throw new ApiError('invalid-argument', `Invalid "${key}": "${options[key] ?? ''}"`);
  return parsed;
}

function pairsOf(options: DeviceMap): ReturnType<typeof pairAddresses> {
  return pairAddresses(address(options, 'listen'), address(options, 'connect'));
}

function isTranslated(options: DeviceMap): boolean {
  return effectiveBoolean(keys, options, 'nat');
}

function listensInside(options: DeviceMap): boolean {
  return (options['bind'] || 'host') !== 'host';
}

function drops(options: DeviceMap): boolean {
  return Boolean(options['security.uid'] || options['security.gid']);
}

function socketOwner(options: DeviceMap): { readonly uid: number; readonly gid: number; readonly mode: number } {
  const mode = options['mode'] ? Number.parseInt(options['mode'], 8) : 0o644;
  return { uid: Number(options['uid'] || 0), gid: Number(options['gid'] || 0), mode };
}

function addressProblem(value: string): string | undefined {
  return parseProxyAddress(value) ? undefined : 'must be such as tcp:127.0.0.1:80, udp:[::1]:53-54 or unix:/run/x.sock';
}

/** Succeeds when it is gone; what is no socket stays. */
async function removeSocket(file: string): Promise<void> {
  const there = await lstat(file).catch(() => undefined);
  if (there?.isSocket()) await rm(file, { force: true });
}
