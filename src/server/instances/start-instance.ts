import { readFileSync } from 'node:fs';
import type { ConfigMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { faultPoint } from '#base/fault-point.ts';
import { Revert } from '#base/revert.ts';
import { runCommand } from '#base/run-command.ts';
import type { Reader } from '#server/database/database.ts';
import { getInstance, type InstanceRecord, patchInstanceConfig, updateInstance } from '#server/database/instances.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { missingVolatile, runVolatile } from '../devices/devices.ts';
import { containerId } from '../paths.ts';
import type { ResourceLimits } from '../runtime/runtime.ts';
import { checkFreeAddresses } from './check-addresses.ts';
import { checkInstance, loadNetworkFacts } from './check-instance.ts';
import { containerSpec } from './container-spec.ts';
import { diskThrottles } from './disk-limits.ts';
import type { Expanded } from '../profiles/expand-config.ts';
import { idmapOf, idmapVolatile, keptIdmap } from './idmap.ts';
import { noteStarted, startDevices } from './instance-devices.ts';
import { type HandOver, handOverKey, handOverOf, writeHandOver } from './hand-over.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { assertWhole } from './partial.ts';
import { snapshotAtStart } from './scheduled-snapshots.ts';
import { parseCpuSet } from './limit-keys.ts';
import { hostResources, resourceLimits, withThrottles } from './limits.ts';
import { applyTemplates } from './instance-templates.ts';
import { dropState, stateFolder } from './kept-state.ts';
import { alignRootIds, mountRoot, unmountRoot } from './root-volume.ts';
import { assertRestorable, isCheckpointable } from './state-checks.ts';
import { assertAllowed, holdInstance } from './status.ts';

/** Kept while the container runs: the boot it was started in, so that recovery tells a host's restart from its own end. */
export const bootMark = 'volatile.last_state.boot';
const perRunKeys = /^volatile\.(.+\.(host_name|last_state\.(created|hwaddr|mtu))|limits\.cpus)$/;

/** Id of the host's current boot (random(4)). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

export interface StartOptions {
  /** asked while the instance is held: on false nothing is done */
  readonly wanted?: () => Promise<boolean>;
  /** drops the state that was kept of its processes, instead of going on from it */
  readonly stateless?: boolean;
}

/** Starts a stopped instance; it is left stopped and clean when a step fails. */
export async function startInstance(
  services: InstanceServices,
  project: string,
  name: string,
  context: ActionContext = {},
  options: StartOptions = {},
): Promise<void> {
  using _lock = await holdInstance(services.locks, project, name, 'start', context.signal);
  if (options.wanted && !(await options.wanted())) return;
  await startHeld(services, project, name, context, options);
  emitLifecycle(services.events, 'instance-started', instancePath(name), {
    project,
    ...(context.requestor && { requestor: context.requestor }),
  });
}

/** Like startInstance, for callers that hold the instance's lock. */
export async function startHeld(
  services: InstanceServices,
  project: string,
  name: string,
  context: ActionContext = {},
  { stateless = false }: Pick<StartOptions, 'stateless'> = {},
): Promise<void> {
  const id = containerId(project, name);
  const found = await services.database.read(reader => getInstance(reader, project, name));
  assertAllowed(name, found.ready, services.runtime.status(id), 'start');
  assertWhole(found);
  await using revert = new Revert(services.log);

  const volumeFolder = await mountRoot(services, found);
  revert.add('mounting the root volume', () => unmountRoot(services, found));
  await faultPoint('start.after-mount');

  if (found.stateful && stateless) await dropState(services, found, volumeFolder);
  const state = found.stateful && !stateless ? stateFolder(volumeFolder) : undefined;
  // What goes on expects its files as they were.
  const templates = state === undefined ? await applyTemplates(services, found, volumeFolder) : {};
  // Before the container runs, so that a daemon that dies in between finds names of links and knows what was wanted.
  const { record, expanded, limits: wanted } = await writeStarting(services, found, templates);
  const limits = withThrottles(wanted, diskThrottles(expanded.devices, volumeFolder));
  revert.add('noting that it runs', () => writeStopped(services, record, 'STOPPED'));
  await faultPoint('start.after-write');

  await snapshotAtStart(services, record, expanded.config, context);
  await loadKernelModules(expanded.config['linux.kernel_modules'], context.signal);
  const devices = await startDevices(services, record, expanded.devices, record.config, revert);
  await faultPoint('start.after-devices');

  const idmap = keptIdmap(record.config);
  const checkpointable = await isCheckpointable(services, expanded.config);
  const hostIds = await alignRootIds(services, record, idmap, { mayShiftMounts: !checkpointable });
  const { guestApi } = services.paths;
  const spec = containerSpec({
    record,
    config: expanded.config,
    volumeFolder,
    idmap,
    hostIds,
    devices,
    limits,
    guestApi,
    checkpointable,
    state,
  });
  if (state !== undefined) await assertRestorable(services, record, spec, state);
  await services.runtime.start(spec, context.signal);
  revert.add('starting the container', () => services.runtime.kill(id));
  // Only now do the links exist that packets are told apart by, and files that the topmost cgroup does not show.
  if (expanded.config['limits.network.priority'] || expanded.config['limits.disk.priority'])
    await services.runtime.setLimits(id, limits);
  await noteStarted(services, record, expanded.devices, record.config);
  await faultPoint('start.after-runtime');
  if (state !== undefined) await dropState(services, record, volumeFolder);
  revert.commit();
  if (handOverOf(record.config)) await writeHandOver(services, record, undefined);
}

/** Stores what one run needs; returns the record with it. */
async function writeStarting(
  services: InstanceServices,
  { project, name }: InstanceRecord,
  done: Readonly<Record<string, undefined>>,
): Promise<{ record: InstanceRecord; expanded: Expanded; limits: ResourceLimits }> {
  return await services.database.write(async tx => {
    const record = await getInstance(tx, project, name);
    const expanded = await checkInstance(tx, record);
    await checkFreeAddresses(tx, record, expanded.devices);
    const run = runVolatile(expanded.devices, record.config, await loadNetworkFacts(tx, record.project));
    const limits = resourceLimits(expanded.config, hostResources(), await pinnedCpus(tx), hostLinks(run));
    const idmap = idmapOf(expanded.config, await isolatedRanges(tx, record.id));
    const keys = {
      ...missingVolatile(expanded.devices, record.config),
      ...run,
      ...(JSON.stringify(idmap) !== JSON.stringify(keptIdmap(record.config)) && idmapVolatile(idmap)),
      ...(limits.cpu?.cpus !== undefined && { 'volatile.limits.cpus': limits.cpu.cpus }),
      'volatile.last_state.power': 'RUNNING',
      [bootMark]: bootId(),
    };
    await patchInstanceConfig(tx, record.id, { ...keys, ...done });
    await updateInstance(tx, record, { lastUsedAt: new Date().toISOString() });
    return { record: { ...record, config: { ...record.config, ...keys } }, expanded, limits };
  });
}

/** Removes what one run needed and stores the power state to come back to. */
export async function writeStopped(
  services: Pick<InstanceServices, 'database'>,
  record: InstanceRecord,
  power: 'STOPPED' | 'RUNNING',
  handOver?: HandOver,
): Promise<void> {
  await services.database.write(async tx => {
    const { id, config } = await getInstance(tx, record.project, record.name);
    const gone = Object.keys(config).filter(key => key === bootMark || perRunKeys.test(key));
    await patchInstanceConfig(tx, id, {
      ...Object.fromEntries(gone.map(key => [key, undefined])),
      'volatile.last_state.power': power,
      [handOverKey]: handOver,
    });
  });
}

/** Names of the host's ends of a container's links, as kept in volatile keys. */
export function hostLinks(config: ConfigMap): readonly string[] {
  return Object.entries(config).flatMap(([key, value]) => (/^volatile\..+\.host_name$/.test(key) ? [value] : []));
}

/** How many running containers are pinned to each CPU. */
export async function pinnedCpus(reader: Reader): Promise<ReadonlyMap<number, number>> {
  const rows = await reader.all<{ value: string }>(
    "SELECT value FROM instances_config WHERE key = 'volatile.limits.cpus'",
  );
  const counts = new Map<number, number>();
  for (const { value } of rows) {
    for (const cpu of parseCpuSet(value) ?? []) counts.set(cpu, (counts.get(cpu) ?? 0) + 1);
  }
  return counts;
}

/** Ranges of ids that other instances have for themselves. */
export async function isolatedRanges(
  reader: Reader,
  exceptId?: number,
): Promise<readonly { hostBase: number; size: number }[]> {
  const shared = idmapOf({}, [])?.hostBase;
  const rows = await reader.all<{ owner: number; value: string }>(
    "SELECT instance_id AS owner, value FROM instances_config WHERE key = 'volatile.idmap.next'",
  );
  return rows.flatMap(({ owner, value }) => {
    const range = keptIdmap({ 'volatile.idmap.next': value });
    return range && owner !== exceptId && range.hostBase !== shared ? [range] : [];
  });
}

async function loadKernelModules(names: string | undefined, signal?: AbortSignal): Promise<void> {
  for (const name of (names ?? '').split(',').filter(name => name.trim() !== '')) {
    try {
      await runCommand('modprobe', ['-b', name.trim()], { timeoutMs: 10_000, ...(signal && { signal }) });
    } catch (error) {
      throw new ApiError('failed-precondition', `Failed loading kernel module "${name.trim()}"`, { cause: error });
    }
  }
}
