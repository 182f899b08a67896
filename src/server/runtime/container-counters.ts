/** What a container's cgroups count, for metrics. Bytes, seconds and plain counts. */
export interface ContainerCounters {
  readonly cpus: readonly CpuSeconds[];
  readonly disks: readonly DiskCounters[];
  readonly memory: MemoryCounters;
  readonly processes: number;
}

export interface CpuSeconds {
  readonly cpu: string;
  readonly user: number;
  readonly system: number;
}

export interface DiskCounters {
  /** name of the kernel's, such as "sda" */
  readonly device: string;
  readonly readBytes: number;
  readonly reads: number;
  readonly writtenBytes: number;
  readonly writes: number;
}

/** Fields of memory.stat under the names of cgroup v2 (kernel documentation, admin-guide/cgroup-v2). */
export interface MemoryCounters {
  readonly activeAnon: number;
  readonly activeFile: number;
  readonly inactiveAnon: number;
  readonly inactiveFile: number;
  readonly cached: number;
  readonly dirty: number;
  readonly mapped: number;
  readonly rss: number;
  readonly shmem: number;
  readonly swap: number;
  readonly unevictable: number;
  readonly writeback: number;
  readonly usage: number;
  readonly limit: number;
  readonly oomKills: number;
}

/** How the files of a container's cgroups are reached. */
export interface CgroupFiles {
  /** text of a file of a controller; undefined when there is none */
  read(controller: string, file: string): string | undefined;
  versionOf(controller: string): 1 | 2 | undefined;
  /** name of the block device with this "MAJOR:MINOR" */
  deviceName(number: string): string;
}

export function readCounters(files: CgroupFiles): ContainerCounters {
  return {
    cpus: cpuSeconds(files),
    disks: files.versionOf('io') === 2 ? disksOfIoStat(files) : disksOfBlkio(files),
    memory: memoryCounters(files),
    processes: Number(files.read('pids', 'pids.current') ?? 0),
  };
}

function cpuSeconds(files: CgroupFiles): readonly CpuSeconds[] {
  const all = files.read('cpuacct', 'cpuacct.usage_all');
  if (all !== undefined) {
    // "cpu user system", nanoseconds
    const lines = all.trim().split('\n').slice(1);
    return lines.map(line => {
      const [cpu = '', user = '', system = ''] = line.split(' ');
      return { cpu, user: Number(user) / 1e9, system: Number(system) / 1e9 };
    });
  }
  const stat = fields(files.read('cpu', 'cpu.stat') ?? '');
  const seconds = (name: string): number => (stat.get(name) ?? 0) / 1e6;
  return [{ cpu: '0', user: seconds('user_usec'), system: seconds('system_usec') }];
}

/** Lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …" */
function disksOfIoStat(files: CgroupFiles): readonly DiskCounters[] {
  return lines(files.read('io', 'io.stat')).map(line => {
    const [number = '', ...pairs] = line.split(' ');
    const values = new Map(pairs.map(pair => pair.split('=') as [string, string]));
    const value = (name: string): number => Number(values.get(name) ?? 0);
    return {
      device: files.deviceName(number),
      readBytes: value('rbytes'),
      reads: value('rios'),
      writtenBytes: value('wbytes'),
      writes: value('wios'),
    };
  });
}

/** Lines "8:0 Read 4096" in one file for bytes and one for operations. */
function disksOfBlkio(files: CgroupFiles): readonly DiskCounters[] {
  const bytes = blkio(files.read('blkio', 'blkio.throttle.io_service_bytes_recursive'));
  const operations = blkio(files.read('blkio', 'blkio.throttle.io_serviced_recursive'));
  return [...bytes].map(([number, moved]) => ({
    device: files.deviceName(number),
    readBytes: moved.get('Read') ?? 0,
    writtenBytes: moved.get('Write') ?? 0,
    reads: operations.get(number)?.get('Read') ?? 0,
    writes: operations.get(number)?.get('Write') ?? 0,
  }));
}

function blkio(text: string | undefined): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const found = new Map<string, Map<string, number>>();
  for (const line of lines(text)) {
    const [number = '', kind = '', value = ''] = line.split(' ');
    if (value === '') continue; // the line "Total N"
    const device = found.get(number) ?? new Map<string, number>();
    found.set(number, device.set(kind, Number(value)));
  }
  return found;
}

function memoryCounters(files: CgroupFiles): MemoryCounters {
  const stat = fields(files.read('memory', 'memory.stat') ?? '');
  const v2 = files.versionOf('memory') === 2;
  // v1 counts a cgroup alone under the plain name, with those below it under "total_"
  const value = (name: string, v1 = name): number => stat.get(v2 ? name : `total_${v1}`) ?? 0;
  const limit = files.read('memory', v2 ? 'memory.max' : 'memory.limit_in_bytes') ?? 'max';
  const oom = fields(files.read('memory', v2 ? 'memory.events' : 'memory.oom_control') ?? '');
  return {
    activeAnon: value('active_anon'),
    activeFile: value('active_file'),
    inactiveAnon: value('inactive_anon'),
    inactiveFile: value('inactive_file'),
    cached: value('file', 'cache'),
    dirty: value('file_dirty', 'dirty'),
    mapped: value('file_mapped', 'mapped_file'),
    rss: value('anon', 'rss'),
    shmem: value('shmem'),
    swap: v2 ? Number(files.read('memory', 'memory.swap.current') ?? 0) : value('swap'),
    unevictable: value('unevictable'),
    writeback: value('file_writeback', 'writeback'),
    usage: Number(files.read('memory', v2 ? 'memory.current' : 'memory.usage_in_bytes') ?? 0),
    limit: limit.startsWith('max') ? Infinity : Number(limit),
    oomKills: oom.get('oom_kill') ?? 0,
  };
}

/** Lines "name value". */
function fields(text: string): ReadonlyMap<string, number> {
  return new Map(
    lines(text).map(line => {
      const [name = '', value = ''] = line.split(' ');
      return [name, Number(value)];
    }),
  );
}

function lines(text: string | undefined): readonly string[] {
  return (text ?? '').split('\n').filter(line => line !== '');
}
