import type { NamedLine } from './key-names.ts';
import type { Mapping } from './mapping.ts';

/** Limits of cgroups, of both versions. */
export function mapLimits(mapping: Mapping, lines: readonly NamedLine[]): void {
  const period = lines.findLast(line => controlOf(line) === 'cpu.cfs_period_us');
  for (const line of lines) mapLimit(mapping, line, Number(period?.value ?? 100_000));
}

function controlOf({ name }: NamedLine): string {
  return name.replace(/^lxc\.cgroup2?\./, '');
}

function mapLimit(mapping: Mapping, line: NamedLine, periodMicroseconds: number): void {
  const control = controlOf(line);
  switch (control) {
    case 'memory.limit_in_bytes':
    case 'memory.max':
      return setIf(mapping, line, 'limits.memory', sizeOf(line.value));
    case 'memory.swap.max':
      if (line.value === '0') return mapping.set(line, 'limits.memory.swap', 'false');
      return mapping.drop(line, 'swap has no limit of its own here, only "limits.memory.swap"');
    case 'cpuset.cpus':
      return setIf(mapping, line, 'limits.cpu', cpusOf(line.value));
    case 'cpu.cfs_quota_us':
      return setIf(mapping, line, 'limits.cpu.allowance', allowanceOf(Number(line.value), periodMicroseconds));
    case 'cpu.cfs_period_us':
      return mapping.take(line, 'part of limits.cpu.allowance');
    case 'cpu.max': {
      const [quota, period = '100000'] = line.value.split(/\s+/);
      return setIf(mapping, line, 'limits.cpu.allowance', allowanceOf(Number(quota), Number(period)));
    }
    case 'pids.max':
      return setIf(mapping, line, 'limits.processes', /^[1-9]\d{0,8}$/.test(line.value) ? line.value : undefined);
    case 'cpu.shares':
    case 'cpu.weight':
      return mapping.drop(line, 'shares are set in percent here: "limits.cpu.allowance" or "limits.cpu.priority"');
    case 'blkio.weight':
    case 'io.weight':
      return mapping.drop(line, 'set "limits.disk.priority" from 0 to 10');
    default:
      if (control.startsWith('devices.')) return mapping.drop(line, 'devices are plugged in as devices here');
      return mapping.drop(line, 'no limit of this kind here');
  }
}

function setIf(mapping: Mapping, line: NamedLine, key: string, value: string | undefined): void {
  if (value === undefined) mapping.drop(line, 'sets no limit');
  else mapping.set(line, key, value);
}

/** A size of the kernel's, such as "512M", as the daemon writes it; undefined for none. */
function sizeOf(value: string): string | undefined {
  const match = /^(\d{1,15})([kmgt]?)$/i.exec(value);
  if (!match || Number(match[1]) === 0) return undefined;
  const unit = (match[2] ?? '').toUpperCase();
  return `${match[1] ?? ''}${unit && `${unit}iB`}`;
}

/** One CPU alone would be read as a number of CPUs. */
function cpusOf(value: string): string | undefined {
  const set = value.replace(/\s/g, '');
  if (/^\d{1,4}$/.test(set)) return `${set}-${set}`;
  return /^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$/.test(set) ? set : undefined;
}

function allowanceOf(quota: number, period: number): string | undefined {
  if (!(quota > 0) || !(period >= 1000)) return undefined;
  return `${String(Math.max(1, Math.round(quota / 1000)))}ms/${String(Math.round(period / 1000))}ms`;
}
