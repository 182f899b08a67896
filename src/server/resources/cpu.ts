import type { HostFiles } from './host-files.ts';

interface Thread {
  readonly id: number;
  readonly numa_node: number;
  readonly thread: number;
  readonly online: boolean;
  readonly isolated: boolean;
}

interface Core {
  readonly core: number;
  readonly die: number;
  readonly threads: Thread[];
  readonly frequency: number;
}

interface Socket {
  readonly name: string;
  readonly vendor: string;
  readonly socket: number;
  readonly cache: readonly { readonly level: number; readonly type: string; readonly size: number }[];
  readonly cores: Core[];
  readonly frequency: number;
  readonly frequency_minimum: number;
  readonly frequency_turbo: number;
}

const base = 'sys/devices/system/cpu';
const kernelNames: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** Sockets, cores and threads as the kernel numbers them; frequencies in MHz, caches in bytes. */
export async function readCpu(files: HostFiles): Promise<unknown> {
  const info = await readInfo(files);
  const isolated = parseRanges(await files.text(base, 'isolated'));
  const sockets = new Map<number, Socket>();
  let total = 0;
  for (const name of await files.names(base)) {
    const id = Number(/^cpu(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    if (!Number.isInteger(id)) continue;
    total += 1;
    const topology = (file: string): Promise<number> => files.number([base, name, 'topology', file]);
    const socketId = await topology('physical_package_id');
    const coreId = await topology('core_id');
    const socket = sockets.get(socketId) ?? (await readSocket(files, name, socketId, info.get(id)));
    sockets.set(socketId, socket);
    let core = socket.cores.find(entry => entry.core === coreId);
    if (!core) {
      const frequency = await frequencyOf(files, name, 'scaling_cur_freq', mhz(info.get(id)));
      socket.cores.push((core = { core: coreId, die: Math.max(0, await topology('die_id')), threads: [], frequency }));
    }
    core.threads.push({
      id,
      numa_node: await numaNode(files, name),
      thread: core.threads.length,
      // the first CPU often has no such file: it cannot be switched off
      online: (await files.number([base, name, 'online'], 1)) === 1,
      isolated: isolated.has(id),
    });
  }
  const architecture = kernelNames[process.arch] ?? process.arch;
  return { architecture, sockets: [...sockets.values()], total };
}

async function readSocket(
  files: HostFiles,
  name: string,
  socket: number,
  info: ReadonlyMap<string, string> | undefined,
): Promise<Socket> {
  const cache = [];
  for (const index of await files.names(base, name, 'cache')) {
    if (!index.startsWith('index')) continue;
    const kib = /^(\d+)K$/.exec(await files.text(base, name, 'cache', index, 'size'))?.[1];
    cache.push({
      level: await files.number([base, name, 'cache', index, 'level']),
      type: await files.text(base, name, 'cache', index, 'type'),
      size: Number(kib ?? 0) * 1024,
    });
  }
  return {
    name: info?.get('model name') ?? '',
    vendor: info?.get('vendor_id') ?? '',
    socket,
    cache,
    cores: [],
    frequency: await frequencyOf(files, name, 'scaling_cur_freq', mhz(info)),
    frequency_minimum: await frequencyOf(files, name, 'cpuinfo_min_freq', 0),
    frequency_turbo: await frequencyOf(files, name, 'cpuinfo_max_freq', 0),
  };
}

/** /proc/cpuinfo by CPU number. */
async function readInfo(files: HostFiles): Promise<ReadonlyMap<number, ReadonlyMap<string, string>>> {
  const result = new Map<number, ReadonlyMap<string, string>>();
  for (const block of (await files.text('proc/cpuinfo')).split('\n\n')) {
    const pairs = block.split('\n').map(line => line.split(':').map(part => part.trim()));
    const fields = new Map(pairs.map(([key = '', value = '']) => [key, value]));
    if (fields.has('processor')) result.set(Number(fields.get('processor')), fields);
  }
  return result;
}

async function frequencyOf(files: HostFiles, name: string, file: string, otherwise: number): Promise<number> {
  const khz = await files.number([base, name, 'cpufreq', file]);
  return khz > 0 ? Math.floor(khz / 1000) : otherwise;
}

function mhz(info: ReadonlyMap<string, string> | undefined): number {
  return Math.floor(Number(info?.get('cpu MHz') ?? 0)) || 0;
}

async function numaNode(files: HostFiles, name: string): Promise<number> {
  const node = (await files.names(base, name)).find(entry => /^node\d+$/.test(entry));
  return Number(node?.slice(4) ?? 0);
}

/** CPUs of a list such as "0-3,8" (cpuset(7)). */
function parseRanges(text: string): ReadonlySet<number> {
  const cpus = new Set<number>();
  for (const part of text.split(',').filter(entry => entry !== '')) {
    const [first = 0, last = first] = part.split('-').map(Number);
    for (let cpu = first; cpu <= last; cpu += 1) cpus.add(cpu);
  }
  return cpus;
}
