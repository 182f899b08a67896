/** What one running instance uses, taken from the server's metrics. */
export interface InstanceUsage {
  readonly project: string;
  readonly name: string;
  /** of all CPUs since the start */
  readonly cpuSeconds: number;
  /** anonymous memory and page cache */
  readonly memoryBytes: number;
  readonly processes: number;
}

const sampleLine = /^(\w+)\{(.*)\} (\S+)$/;

/** Reads OpenMetrics text as GET /1.0/metrics gives it; lines that are something else are passed over. */
export function usageOf(text: string): readonly InstanceUsage[] {
  const found = new Map<string, { -readonly [K in keyof InstanceUsage]: InstanceUsage[K] }>();
  for (const line of text.split('\n')) {
    const [, metric = '', labels = '', number = ''] = sampleLine.exec(line) ?? [];
    const name = labelOf(labels, 'name');
    if (name === undefined) continue;
    const project = labelOf(labels, 'project') ?? 'default';
    const key = `${project}/${name}`;
    const usage = found.get(key) ?? { project, name, cpuSeconds: 0, memoryBytes: 0, processes: 0 };
    found.set(key, usage);
    const value = Number(number);
    if (metric === 'lxd_cpu_seconds_total') usage.cpuSeconds += value;
    else if (metric === 'lxd_memory_RSS_bytes' || metric === 'lxd_memory_Cached_bytes') usage.memoryBytes += value;
    else if (metric === 'lxd_procs_total') usage.processes = value;
  }
  return [...found.values()];
}

function labelOf(labels: string, name: string): string | undefined {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1];
}
