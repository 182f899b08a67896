import type { Network, NetworkState } from '#api/network.ts';
import { ApiError } from '#api/error.ts';
import { formatSize } from '#base/units.ts';
import { command, type CommandSpec, type Format, formatOption, targetOption, text } from '../command.ts';
import { parsePairs } from '../key-values.ts';
import { editingCommands } from '../object-editing.ts';
import { printList } from '../output/table.ts';
import { attachmentCommands } from './attachment.ts';
import { aclCommands } from './network-acl.ts';
import { explainCommand } from './network-explain.ts';
import { forwardCommands } from './network-forward.ts';
import { zoneRecordCommands } from './network-zone-record.ts';
import { zoneCommands } from './network-zone.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'network list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List available networks',
    examples: [['network list', 'Show managed networks and the links of the host.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const networks = await client.networks.list();
      await printList(session, options.format as Format, networks, () => ({
        header: ['NAME', 'TYPE', 'MANAGED', 'IPV4', 'IPV6', 'DESCRIPTION', 'USED BY', 'STATE'],
        rows: networks.map(networkRow).sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
      }));
    },
  }),
  command({
    path: 'network create',
    usage: '[<remote>:]<network> [key=value...]',
    summary: 'Create new networks',
    examples: [
      ['network create br1', 'A bridge with addresses of its own choice.'],
      ['network create br1 ipv4.address=10.9.8.1/24 ipv6.address=none', 'A bridge with this address.'],
    ],
    options: { target: targetOption, type: text('-t,--type', 'Network type', 'bridge') },
    run: async (session, [target = '', ...pairs], options) => {
      const { client, name } = await session.object(target, 'network');
      const given = await session.inputObject();
      const config = { ...(given['config'] as Record<string, string> | undefined), ...parsePairs(pairs) };
      const description = typeof given['description'] === 'string' ? given['description'] : '';
      await session.finish(client.networks.create({ name, type: options.type, description, config }));
      session.note(`Network ${name} created`);
    },
  }),
  command({
    path: 'network delete',
    aliases: ['rm'],
    usage: '[<remote>:]<network>',
    summary: 'Delete networks',
    examples: [['network delete br1', 'Delete a network that nothing uses.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'network');
      await session.finish(client.networks.delete(name));
      session.note(`Network ${name} deleted`);
    },
  }),
  command({
    path: 'network rename',
    usage: '[<remote>:]<network> <new-name>',
    summary: 'Rename networks',
    examples: [['network rename br1 br2', 'Rename a network that no running instance uses.']],
    run: async (session, [target = '', newName = '']) => {
      const { client, name } = await session.object(target, 'network');
      await session.finish(client.networks.rename(name, newName));
      session.note(`Network ${name} renamed to ${newName}`);
    },
  }),
  command({
    path: 'network info',
    usage: '[<remote>:]<network>',
    summary: 'Get runtime information on networks',
    examples: [['network info br1', 'Show addresses and counters.']],
    options: { target: targetOption },
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'network');
      session.out(renderState(name, await client.networkState(name)));
    },
  }),
  command({
    path: 'network list-leases',
    usage: '[<remote>:]<network>',
    summary: 'List DHCP leases',
    examples: [['network list-leases br1', 'Show which addresses are taken.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.object(target, 'network');
      const leases = await client.networkLeases(name);
      await printList(session, options.format as Format, leases, () => ({
        header: ['HOSTNAME', 'MAC ADDRESS', 'IP ADDRESS', 'TYPE'],
        rows: leases.map(lease => [lease.hostname, lease.hwaddr, lease.address, lease.type.toUpperCase()]),
      }));
    },
  }),
  ...editingCommands({
    path: 'network',
    noun: 'network',
    usage: '[<remote>:]<network>',
    words: 1,
    sample: 'br1',
    setting: ['ipv4.nat', 'true'],
    load: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'network');
      const { value, etag } = await client.networks.tagged(name);
      if (!value.managed)
        throw new ApiError('failed-precondition', `Network "${name}" is not managed: its settings are the host's`);
      const { config, description } = value;
      const { type, managed, status, locations, used_by } = value;
      return {
        put: { config, description },
        shown: { config, description, name, type, used_by, managed, status, locations },
        save: put => client.networks.replace(name, put, etag),
      };
    },
  }),
  ...attachmentCommands({
    path: 'network',
    usage: '[<remote>:]<network>',
    words: 1,
    noun: 'network interface',
    sample: 'br1',
    more: '[<interface name>]',
    placed: (network, [device = network, interfaceName = device]) => ({ device, more: interfaceName }),
    device: (_pool, network, interfaceName) => ({
      type: 'nic',
      network,
      ...(interfaceName ? { name: interfaceName } : {}),
    }),
    matches: (device, _pool, network) =>
      device['type'] === 'nic' && (device['network'] ?? device['parent']) === network,
  }),
  explainCommand,
  ...aclCommands,
  ...forwardCommands,
  ...zoneCommands,
  ...zoneRecordCommands,
];

function networkRow(network: Network): readonly string[] {
  return [
    network.name,
    network.type,
    network.managed ? 'YES' : 'NO',
    network.config['ipv4.address'] ?? '',
    network.config['ipv6.address'] ?? '',
    network.description,
    String(network.used_by.length),
    network.status.toUpperCase(),
  ];
}

/** `network info`, as LXD lays it out. */
export function renderState(name: string, state: NetworkState): string {
  const lines = [
    `Name: ${name}`,
    `MAC address: ${state.hwaddr}`,
    `MTU: ${String(state.mtu)}`,
    `State: ${state.state}`,
    `Type: ${state.type}`,
  ];
  if (state.addresses.length > 0) {
    lines.push('', 'IP addresses:');
    for (const { family, address, netmask, scope } of state.addresses)
      lines.push(`  ${family}\t${address}/${netmask} (${scope})`);
  }
  const { counters, bridge } = state;
  lines.push(
    '',
    'Network usage:',
    `  Bytes received: ${formatSize(counters.bytes_received)}`,
    `  Bytes sent: ${formatSize(counters.bytes_sent)}`,
    `  Packets received: ${String(counters.packets_received)}`,
    `  Packets sent: ${String(counters.packets_sent)}`,
  );
  if (bridge) {
    lines.push(
      '',
      'Bridge:',
      `  ID: ${bridge.id}`,
      `  STP: ${String(bridge.stp)}`,
      `  Forward delay: ${String(bridge.forward_delay)}`,
      `  Default VLAN ID: ${String(bridge.vlan_default)}`,
      `  VLAN filtering: ${String(bridge.vlan_filtering)}`,
      `  Upper devices: ${bridge.upper_devices.join(', ')}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
