import { expect, test } from 'vitest';
import { usageOf } from './metrics.ts';

test('adds up what the metrics of an instance say', () => {
  const labels = 'name="c1",project="p",type="container"';
  const text = [
    '# TYPE lxd_cpu_seconds_total counter',
    `lxd_cpu_seconds_total{cpu="0",mode="user",${labels}} 1.5`,
    `lxd_cpu_seconds_total{cpu="1",mode="system",${labels}} 0.5`,
    `lxd_memory_RSS_bytes{${labels}} 1e+06`,
    `lxd_memory_Cached_bytes{${labels}} 24`,
    `lxd_procs_total{${labels}} 7`,
    'go_threads 9',
    '# EOF',
  ].join('\n');
  expect(usageOf(text)).toEqual([{ project: 'p', name: 'c1', cpuSeconds: 2, memoryBytes: 1_000_024, processes: 7 }]);
});
