import type { InstanceState, InstanceStateNetwork } from '#api/instance.ts';
import { statusCodes } from '#api/operation.ts';
import type { Link } from '#native/addon/index.d.ts';
import { commonLinkState } from '#network/link-state.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import { containerId } from '../paths.ts';
import { type Expanded, rootDevice } from '../profiles/expand-config.ts';
import type { InstanceServices } from './instance-services.ts';
import { rootPool, rootVolume } from './root-volume.ts';
import { lockKey, statusOf } from './status.ts';

type Uses = Pick<InstanceServices, 'runtime' | 'locks' | 'pools' | 'paths' | 'log'>;

/** What an instance uses now, from the kernel and its pool. */
export async function instanceState(
  services: Uses,
  record: InstanceRecord,
  expanded: Expanded,
): Promise<InstanceState> {
  const id = containerId(record.project, record.name);
  const kernel = services.runtime.status(id);
  const status = statusOf(record.ready, services.locks.holder(lockKey(record.project, record.name)), kernel);
  const usage = kernel === 'stopped' ? undefined : services.runtime.usage(id);
  return {
    status,
    status_code: statusCodes[status],
    disk: await diskState(services, record, expanded),
    memory: {
      usage: usage?.memoryBytes ?? 0,
      usage_peak: usage?.memoryPeakBytes ?? 0,
      total: usage?.memoryLimitBytes ?? 0,
      swap_usage: usage?.swapBytes ?? 0,
      swap_usage_peak: 0,
    },
    network: kernel === 'stopped' ? null : networkState(services, id, record, expanded),
    pid: services.runtime.initPid(id) ?? 0,
    processes: usage?.processes ?? 0,
    cpu: { usage: usage?.cpuNs ?? 0 },
  };
}

async function diskState(services: Uses, record: InstanceRecord, expanded: Expanded): Promise<InstanceState['disk']> {
  const root = rootDevice(expanded.devices);
  if (!root || !record.ready) return null;
  try {
    const usage = await rootPool(services, record).volumeUsage(rootVolume(record));
    return usage ? { [root[0]]: { usage: usage.used, total: usage.total } } : {};
  } catch (error) {
    services.log.debug('Failed reading the usage of a root volume', { instance: record.name, error });
    return {};
  }
}

function networkState(
  services: Uses,
  id: string,
  record: InstanceRecord,
  { devices }: Expanded,
): Readonly<Record<string, InstanceStateNetwork>> {
  const hostNames = new Map<string, string>();
  for (const [name, options] of Object.entries(devices)) {
    const link = options['name'] ?? record.config[`volatile.${name}.name`];
    const hostName = record.config[`volatile.${name}.host_name`];
    if (link && hostName) hostNames.set(link, hostName);
  }
  return Object.fromEntries(
    services.runtime.links(id).map(link => [link.name, linkState(link, hostNames.get(link.name) ?? '')]),
  );
}

function linkState(link: Link, hostName: string): InstanceStateNetwork {
  const { counters } = link;
  const common = commonLinkState(link);
  return {
    ...common,
    counters: {
      ...common.counters,
      errors_received: counters.errorsReceived,
      errors_sent: counters.errorsSent,
      packets_dropped_outbound: counters.packetsDroppedOutbound,
      packets_dropped_inbound: counters.packetsDroppedInbound,
    },
    host_name: hostName,
    type: linkType(link.flags),
  };
}

function linkType(flags: number): InstanceStateNetwork['type'] {
  if ((flags & 0x8) !== 0) return 'loopback';
  if ((flags & 0x10) !== 0) return 'point-to-point';
  return (flags & 0x2) === 0 ? 'unknown' : 'broadcast';
}
