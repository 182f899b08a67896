import type { InstanceFull, InstanceState } from '#api/instance.ts';
import { formatSize } from '#base/units.ts';
import { shortDate } from '../output/dates.ts';
import { renderTable } from '../output/table.ts';

/** `info INSTANCE`, as LXD lays it out. */
export function renderInstanceInfo(instance: InstanceFull): string {
  const { state } = instance;
  const lines = [`Name: ${instance.name}`];
  if (instance.description) lines.push(`Description: ${instance.description}`);
  lines.push(
    `Status: ${instance.status.toUpperCase()}`,
    `Type: ${instance.type}${instance.ephemeral ? ' (ephemeral)' : ''}`,
    `Architecture: ${instance.architecture}`,
  );
  if (state.pid > 0) lines.push(`PID: ${String(state.pid)}`);
  if (shortDate(instance.created_at)) lines.push(`Created: ${shortDate(instance.created_at)}`);
  if (shortDate(instance.last_used_at)) lines.push(`Last Used: ${shortDate(instance.last_used_at)}`);
  if (state.pid > 0) lines.push('', 'Resources:', ...resourceLines(state));
  const snapshots = instance.snapshots ?? [];
  if (snapshots.length === 0) return `${lines.join('\n')}\n`;
  const table = renderTable({
    header: ['NAME', 'TAKEN AT', 'EXPIRES AT', 'STATEFUL'],
    rows: snapshots.map(snapshot => [
      snapshot.name.split('/').pop() ?? '',
      shortDate(snapshot.created_at),
      shortDate(snapshot.expires_at),
      snapshot.stateful ? 'YES' : 'NO',
    ]),
  });
  return `${lines.join('\n')}\n\nSnapshots:\n${table}`;
}

function resourceLines(state: InstanceState): readonly string[] {
  const lines = [`  Processes: ${String(state.processes)}`];
  const disks = Object.entries(state.disk ?? {}).filter(([, disk]) => disk.usage > 0);
  if (disks.length > 0)
    lines.push('  Disk usage:', ...disks.map(([name, disk]) => `    ${name}: ${formatSize(disk.usage)}`));
  if (state.cpu.usage > 0)
    lines.push('  CPU usage:', `    CPU usage (in seconds): ${String(Math.floor(state.cpu.usage / 1e9))}`);
  const memory = [
    ['current', state.memory.usage],
    ['peak', state.memory.usage_peak],
  ] as const;
  const used = memory.filter(([, bytes]) => bytes > 0);
  if (used.length > 0)
    lines.push('  Memory usage:', ...used.map(([what, bytes]) => `    Memory (${what}): ${formatSize(bytes)}`));
  const networks = Object.entries(state.network ?? {});
  if (networks.length > 0) lines.push('  Network usage:');
  for (const [name, network] of networks) {
    const { counters } = network;
    lines.push(
      `    ${name}:`,
      `      Type: ${network.type}`,
      `      State: ${network.state.toUpperCase()}`,
      ...(network.host_name ? [`      Host interface: ${network.host_name}`] : []),
      ...(network.hwaddr ? [`      MAC address: ${network.hwaddr}`] : []),
      `      MTU: ${String(network.mtu)}`,
      `      Bytes received: ${formatSize(counters.bytes_received)}`,
      `      Bytes sent: ${formatSize(counters.bytes_sent)}`,
      `      Packets received: ${String(counters.packets_received)}`,
      `      Packets sent: ${String(counters.packets_sent)}`,
      '      IP addresses:',
      ...network.addresses.map(
        ({ family, address, netmask, scope }) => `        ${family}:  ${address}/${netmask} (${scope})`,
      ),
    );
  }
  return lines;
}
