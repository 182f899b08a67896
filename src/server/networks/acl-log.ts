import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import type { NetworkAcl } from '#api/network-acl.ts';
import { getAcl } from '../database/network-acls.ts';
import { listNetworks } from '../database/networks.ts';
import type { NetworkServices } from './create-network.ts';
import { networksWith } from './policies.ts';

const biggestRecord = 8192;

/** What the kernel's log holds of the logged rules of an access list: one JSON object a line, oldest first. */
export async function showAclLog({ database }: Pick<NetworkServices, 'database'>, name: string): Promise<string> {
  const { acl, networks } = await database.read(async reader => ({
    acl: await getAcl(reader, name),
    networks: networksWith(await listNetworks(reader), name),
  }));
  const names = networks.map(network => network.name);
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  return renderLog(readKernelLog(), acl, names, Date.now() - uptimeMs);
}

/** Lines for the records, as /dev/kmsg gives them, that rules of the list have caused on one of the networks. */
export function renderLog(
  records: readonly string[],
  acl: Pick<NetworkAcl, 'ingress' | 'egress'>,
  networks: readonly string[],
  bootedAtMs: number,
): string {
  return records
    .flatMap(record => {
      // PRIORITY,NUMBER,MICROSECONDS,FLAGS;TEXT (Documentation/ABI/testing/dev-kmsg)
      const [, micros = '0', text = ''] = /^\d+,\d+,(\d+),[^;]*;([^\n]*)/.exec(record) ?? [];
      const [, network = '', direction = '', index = ''] = /^(\S+)-(ingress|egress)-(\d+) /.exec(text) ?? [];
      if (!networks.includes(network)) return [];
      const rule = (direction === 'ingress' ? acl.ingress : acl.egress)[Number(index)];
      if (rule?.state !== 'logged') return [];
      const time = new Date(bootedAtMs + Number(micros) / 1000).toISOString();
      return [`${JSON.stringify({ time, ...packetOf(text), action: rule.action })}\n`];
    })
    .join('');
}

/** Fields of the kernel's text, under the names that LXD gives them. */
function packetOf(text: string): Readonly<Record<string, string>> {
  const names = [
    ...([
      ['proto', 'PROTO'],
      ['src', 'SRC'],
      ['dst', 'DST'],
      ['src_port', 'SPT'],
    ] as const),
    ...([
      ['dst_port', 'DPT'],
      ['icmp_type', 'TYPE'],
      ['icmp_code', 'CODE'],
    ] as const),
  ];
  return Object.fromEntries(
    names.flatMap(([name, field]) => {
      const value = new RegExp(` ${field}=(\\S+)`).exec(text)?.[1];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/** All records that the kernel still has; none where its log may not be read. */
function readKernelLog(): readonly string[] {
  const records: string[] = [];
  let descriptor: number;
  try {
    descriptor = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return records;
  }
  const buffer = Buffer.alloc(biggestRecord);
  try {
    for (;;) {
      try {
        records.push(buffer.toString('utf8', 0, readSync(descriptor, buffer)));
      } catch (error) {
        // EPIPE: records were overwritten meanwhile, reading goes on behind them
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return records;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}
