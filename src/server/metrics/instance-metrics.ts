import { freemem, totalmem } from 'node:os';
import type { Link } from '#native/addon/index.d.ts';
import type { ContainerCounters } from '../runtime/container-counters.ts';
import type { Metric, Sample } from './open-metrics.ts';

/** What is known of one running instance. */
export interface MeasuredInstance {
  readonly project: string;
  readonly name: string;
  readonly counters: ContainerCounters;
  readonly links: readonly Link[];
  readonly rootfs: FileSystemSpace | undefined;
}

/** Bytes of the file system that holds an instance's root. */
export interface FileSystemSpace {
  readonly type: string;
  readonly size: number;
  readonly free: number;
  readonly available: number;
}

type Values = (instance: MeasuredInstance) => readonly Sample[];

/** Metrics of instances, under the names that LXD gives them. */
export function instanceMetrics(instances: readonly MeasuredInstance[]): readonly Metric[] {
  return table.map(([name, type, help, values]) => ({
    name: `lxd_${name}`,
    help,
    type,
    samples: instances.flatMap(instance =>
      values(instance).map(({ labels, value }) => ({
        labels: { ...labels, name: instance.name, project: instance.project },
        value,
      })),
    ),
  }));
}

const container = { type: 'container' };

function memory(pick: (memory: ContainerCounters['memory']) => number): Values {
  return ({ counters }) => [{ labels: container, value: pick(counters.memory) }];
}

function disk(pick: (disk: ContainerCounters['disks'][number]) => number): Values {
  return ({ counters }) =>
    counters.disks.map(entry => ({ labels: { ...container, device: entry.device }, value: pick(entry) }));
}

function network(pick: (counters: Link['counters']) => number): Values {
  return ({ links }) =>
    links.map(link => ({ labels: { ...container, device: link.name }, value: pick(link.counters) }));
}

function space(pick: (space: FileSystemSpace) => number): Values {
  return ({ rootfs }) =>
    rootfs ? [{ labels: { device: '', fstype: rootfs.type, mountpoint: '/' }, value: pick(rootfs) }] : [];
}

/** What the limit leaves, or the host where there is no limit below its memory. */
function total({ limit }: ContainerCounters['memory']): number {
  return Math.min(limit, totalmem());
}

function free(counters: ContainerCounters['memory']): number {
  return counters.limit < totalmem() ? Math.max(0, counters.limit - counters.usage) : freemem();
}

const cpuSeconds: Values = ({ counters }) =>
  counters.cpus.flatMap(({ cpu, user, system }) => [
    { labels: { ...container, cpu, mode: 'system' }, value: system },
    { labels: { ...container, cpu, mode: 'user' }, value: user },
  ]);

const table: readonly (readonly [name: string, type: Metric['type'], help: string, values: Values])[] = [
  ['cpu_seconds_total', 'counter', 'CPU time used, in seconds.', cpuSeconds],
  ['disk_read_bytes_total', 'counter', 'Bytes read.', disk(entry => entry.readBytes)],
  ['disk_reads_completed_total', 'counter', 'Completed reads.', disk(entry => entry.reads)],
  ['disk_written_bytes_total', 'counter', 'Bytes written.', disk(entry => entry.writtenBytes)],
  ['disk_writes_completed_total', 'counter', 'Completed writes.', disk(entry => entry.writes)],
  ['filesystem_avail_bytes', 'gauge', 'Space that users may take, in bytes.', space(entry => entry.available)],
  ['filesystem_free_bytes', 'gauge', 'Free space, in bytes.', space(entry => entry.free)],
  ['filesystem_size_bytes', 'gauge', 'Size of the file system, in bytes.', space(entry => entry.size)],
  ['memory_Active_anon_bytes', 'gauge', 'Anonymous memory in active use.', memory(entry => entry.activeAnon)],
  ['memory_Active_file_bytes', 'gauge', 'File-backed memory in active use.', memory(entry => entry.activeFile)],
  ['memory_Active_bytes', 'gauge', 'Memory in active use.', memory(entry => entry.activeAnon + entry.activeFile)],
  ['memory_Cached_bytes', 'gauge', 'Cached memory.', memory(entry => entry.cached)],
  ['memory_Dirty_bytes', 'gauge', 'Memory that waits to be written to disk.', memory(entry => entry.dirty)],
  ['memory_HugepagesFree_bytes', 'gauge', 'Free memory in huge pages.', () => []],
  ['memory_HugepagesTotal_bytes', 'gauge', 'Memory in huge pages.', () => []],
  ['memory_Inactive_anon_bytes', 'gauge', 'Anonymous memory not in use lately.', memory(entry => entry.inactiveAnon)],
  ['memory_Inactive_file_bytes', 'gauge', 'File-backed memory not in use lately.', memory(entry => entry.inactiveFile)],
  [
    'memory_Inactive_bytes',
    'gauge',
    'Memory not in use lately.',
    memory(entry => entry.inactiveAnon + entry.inactiveFile),
  ],
  ['memory_Mapped_bytes', 'gauge', 'Mapped memory.', memory(entry => entry.mapped)],
  ['memory_MemAvailable_bytes', 'gauge', 'Memory that can be had.', memory(entry => free(entry) + entry.inactiveFile)],
  ['memory_MemFree_bytes', 'gauge', 'Free memory.', memory(free)],
  ['memory_MemTotal_bytes', 'gauge', 'Memory that may be used at most.', memory(total)],
  ['memory_OOM_kills_total', 'counter', 'Processes killed for want of memory.', memory(entry => entry.oomKills)],
  ['memory_RSS_bytes', 'gauge', 'Anonymous and swap cache memory.', memory(entry => entry.rss)],
  ['memory_Shmem_bytes', 'gauge', 'Cached memory that is backed by swap.', memory(entry => entry.shmem)],
  ['memory_Swap_bytes', 'gauge', 'Swap in use.', memory(entry => entry.swap)],
  ['memory_Unevictable_bytes', 'gauge', 'Memory that cannot be reclaimed.', memory(entry => entry.unevictable)],
  ['memory_Writeback_bytes', 'gauge', 'Memory being written to disk.', memory(entry => entry.writeback)],
  ['network_receive_bytes_total', 'counter', 'Bytes received.', network(entry => entry.bytesReceived)],
  [
    'network_receive_drop_total',
    'counter',
    'Packets dropped on the way in.',
    network(entry => entry.packetsDroppedInbound),
  ],
  ['network_receive_errs_total', 'counter', 'Errors on receiving.', network(entry => entry.errorsReceived)],
  ['network_receive_packets_total', 'counter', 'Packets received.', network(entry => entry.packetsReceived)],
  ['network_transmit_bytes_total', 'counter', 'Bytes sent.', network(entry => entry.bytesSent)],
  [
    'network_transmit_drop_total',
    'counter',
    'Packets dropped on the way out.',
    network(entry => entry.packetsDroppedOutbound),
  ],
  ['network_transmit_errs_total', 'counter', 'Errors on sending.', network(entry => entry.errorsSent)],
  ['network_transmit_packets_total', 'counter', 'Packets sent.', network(entry => entry.packetsSent)],
  ['procs_total', 'gauge', 'Running processes.', ({ counters }) => [{ labels: container, value: counters.processes }]],
];
