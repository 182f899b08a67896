import { describe, expect, test } from 'vitest';
import { Cgroups, parseMounts } from './cgroups.ts';
import { cgroupValues, startValues } from './limits.ts';
import type { ResourceLimits } from './runtime.ts';

const v1 = ['memory', 'cpu', 'cpuacct', 'cpuset', 'pids', 'freezer'];
const hybrid = new Cgroups(
  parseMounts(
    [
      ...v1.map(name => `cgroup /sys/fs/cgroup/${name} cgroup rw,${name} 0 0`),
      'cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0',
      'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0',
      'tmpfs /tmp tmpfs rw 0 0',
    ].join('\n'),
    () => [],
  ),
);
const unified = new Cgroups(
  parseMounts('cgroup2 /sys/fs/cgroup cgroup2 rw 0 0', () => ['cpuset', 'cpu', 'memory', 'pids', 'freezer']),
);
const limits: ResourceLimits = {
  memory: { bytes: 1000, enforce: 'hard', swap: false },
  cpu: { cpus: '0-1', quota: { timeUs: 25_000, periodUs: 50_000 }, sharePercent: 50 },
  processes: 10,
};
const text = (values: ReturnType<typeof cgroupValues>): string[] => values.map(({ file, value }) => `${file}=${value}`);

describe('parseMounts()', () => {
  test('tells the layouts apart', () => {
    expect([hybrid.unified, unified.unified]).toEqual([false, true]);
    expect([hybrid.versionOf('memory'), unified.versionOf('memory')]).toEqual([1, 2]);
    expect(hybrid.versionOf('rdma')).toBe(undefined);
  });
});

describe('cgroupValues()', () => {
  test('writes v1 files in an order that works whatever was there', () => {
    expect(text(cgroupValues(limits, hybrid))).toEqual([
      'memory.memsw.limit_in_bytes=-1',
      'memory.limit_in_bytes=1000',
      'memory.memsw.limit_in_bytes=1000',
      'memory.swappiness=0',
      'memory.soft_limit_in_bytes=-1',
      'cpu.shares=512',
      'cpu.cfs_quota_us=-1',
      'cpu.cfs_period_us=50000',
      'cpu.cfs_quota_us=25000',
      'cpuset.cpus=0-1',
      'pids.max=10',
    ]);
  });
  test('writes v2 files', () => {
    expect(text(cgroupValues(limits, unified))).toEqual([
      'memory.max=1000',
      'memory.low=0',
      'memory.swap.max=0',
      'cpu.weight=50',
      'cpu.max=25000 50000',
      'cpuset.cpus=0-1',
      'pids.max=10',
    ]);
  });
  test('lifts what is not limited', () => {
    expect(text(cgroupValues({}, unified))).toEqual([
      'memory.max=max',
      'memory.low=0',
      'memory.swap.max=max',
      'cpu.weight=100',
      'cpu.max=max 100000',
      'pids.max=max',
    ]);
  });
});

test('every other limit has its file in both versions', () => {
  const all: ResourceLimits = {
    cpu: { priority: 0 },
    disk: { priority: 3, throttles: [{ device: '8:0', readBytes: 1000, writeRequests: 5 }] },
    hugePages: { '2MB': 4096 },
    memory: { enforce: 'hard', swap: true, swapPriority: 0 },
    network: { priority: 7, links: ['veth1'] },
  };
  const names = ['memory', 'cpu', 'blkio', 'hugetlb', 'net_prio'];
  const lines = names.map(name => `cgroup /sys/fs/cgroup/${name} cgroup rw,${name} 0 0`).join('\n');
  const [old, fresh] = [
    new Cgroups(parseMounts(lines, () => [])),
    new Cgroups(parseMounts('cgroup2 /sys/fs/cgroup cgroup2 rw 0 0', () => ['cpu', 'io', 'hugetlb'])),
  ];
  expect(text(cgroupValues(all, old))).toEqual(
    expect.arrayContaining([
      'cpu.shares=1014',
      'memory.swappiness=50',
      'blkio.bfq.weight=300',
      'blkio.throttle.read_bps_device=8:0 1000',
      'blkio.throttle.read_iops_device=8:0 0',
      'blkio.throttle.write_iops_device=8:0 5',
      'hugetlb.2MB.limit_in_bytes=4096',
      'hugetlb.1GB.limit_in_bytes=-1',
      'net_prio.ifpriomap=veth1 7',
    ]),
  );
  expect(text(cgroupValues(all, fresh))).toEqual(
    expect.arrayContaining([
      'cpu.weight=90',
      'io.weight=default 300',
      'io.max=8:0 rbps=1000 wbps=max riops=max wiops=5',
      'hugetlb.2MB.max=4096',
    ]),
  );
  expect(text(startValues(all, old, () => true))).not.toContain('net_prio.ifpriomap=veth1 7');
});

describe('startValues()', () => {
  test('leaves out defaults and files that this kernel lacks', () => {
    expect(text(startValues({ memory: { bytes: 5, enforce: 'soft', swap: false } }, hybrid, () => false))).toEqual([
      'memory.soft_limit_in_bytes=5',
    ]);
    expect(startValues({}, unified)).toEqual([]);
  });
});
