import type { HostFiles } from './host-files.ts';

/** Bytes; what caches and buffers hold does not count as used. */
export async function readMemory(files: HostFiles): Promise<unknown> {
  const host = parseMeminfo(await files.text('proc/meminfo'));
  const nodes = [];
  for (const name of await files.names('sys/devices/system/node')) {
    if (!/^node\d+$/.test(name)) continue;
    const node = parseMeminfo(await files.text('sys/devices/system/node', name, 'meminfo'));
    const { used, total, hugepages_used, hugepages_total } = usage(node, host.get('Hugepagesize') ?? 0);
    nodes.push({ numa_node: Number(name.slice(4)), hugepages_used, hugepages_total, used, total });
  }
  return { nodes, ...usage(host, host.get('Hugepagesize') ?? 0), hugepages_size: host.get('Hugepagesize') ?? 0 };
}

function usage(
  fields: ReadonlyMap<string, number>,
  pageSize: number,
): { hugepages_total: number; hugepages_used: number; used: number; total: number } {
  const of = (name: string): number => fields.get(name) ?? 0;
  const cached = of('Cached') || of('FilePages');
  return {
    hugepages_total: of('HugePages_Total') * pageSize,
    hugepages_used: (of('HugePages_Total') - of('HugePages_Free')) * pageSize,
    used: Math.max(0, of('MemTotal') - of('MemFree') - of('Buffers') - cached - of('SReclaimable')),
    total: of('MemTotal'),
  };
}

/** Fields of /proc/meminfo, or of a NUMA node's, whose lines begin with "Node N"; kB become bytes. */
function parseMeminfo(text: string): ReadonlyMap<string, number> {
  const fields = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^(?:Node \d+ )?([\w()]+):\s+(\d+)( kB)?$/.exec(line.trim());
    if (match?.[1] !== undefined) fields.set(match[1], Number(match[2]) * (match[3] ? 1024 : 1));
  }
  return fields;
}
