import { expect, test } from 'vitest';
import { type CgroupFiles, readCounters } from './container-counters.ts';

function filesOf(version: 1 | 2, texts: Readonly<Record<string, string>>): CgroupFiles {
  return {
    read: (_controller, file) => texts[file],
    versionOf: () => version,
    deviceName: number => (number === '8:0' ? 'sda' : number),
  };
}

test('reads the files of cgroup v1', () => {
  const counters = readCounters(
    filesOf(1, {
      'cpuacct.usage_all': 'cpu user system\n0 1000000000 500000000\n1 0 250000000\n',
      'blkio.throttle.io_service_bytes_recursive': '8:0 Read 4096\n8:0 Write 8192\n8:0 Total 12288\nTotal 12288\n',
      'blkio.throttle.io_serviced_recursive': '8:0 Read 1\n8:0 Write 2\nTotal 3\n',
      'memory.stat': 'cache 1\ntotal_cache 10\ntotal_rss 20\ntotal_mapped_file 30\ntotal_active_anon 40\n',
      'memory.limit_in_bytes': '1048576\n',
      'memory.usage_in_bytes': '4096\n',
      'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
      'pids.current': '7\n',
    }),
  );
  expect(counters.cpus).toEqual([
    { cpu: '0', user: 1, system: 0.5 },
    { cpu: '1', user: 0, system: 0.25 },
  ]);
  expect(counters.disks).toEqual([{ device: 'sda', readBytes: 4096, reads: 1, writtenBytes: 8192, writes: 2 }]);
  expect(counters.memory).toMatchObject({
    cached: 10,
    rss: 20,
    mapped: 30,
    activeAnon: 40,
    limit: 1048576,
    oomKills: 3,
  });
  expect(counters.processes).toBe(7);
});

test('reads the files of cgroup v2', () => {
  const counters = readCounters(
    filesOf(2, {
      'cpu.stat': 'usage_usec 3000000\nuser_usec 1000000\nsystem_usec 2000000\n',
      'io.stat': '8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n',
      'memory.stat': 'anon 20\nfile 10\nfile_mapped 30\nactive_anon 40\n',
      'memory.max': 'max\n',
      'memory.current': '4096\n',
      'memory.swap.current': '5\n',
      'memory.events': 'low 0\noom 1\noom_kill 3\n',
      'pids.current': '7\n',
    }),
  );
  expect(counters.cpus).toEqual([{ cpu: '0', user: 1, system: 2 }]);
  expect(counters.disks).toEqual([{ device: 'sda', readBytes: 4096, reads: 1, writtenBytes: 8192, writes: 2 }]);
  expect(counters.memory).toMatchObject({ cached: 10, rss: 20, mapped: 30, swap: 5, limit: Infinity, oomKills: 3 });
});

test('counts nothing where the kernel tells nothing', () => {
  const { cpus, disks, processes } = readCounters(filesOf(2, {}));
  expect([cpus, disks, processes]).toEqual([[{ cpu: '0', user: 0, system: 0 }], [], 0]);
});
