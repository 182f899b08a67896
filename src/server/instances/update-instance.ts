import { randomUUID } from 'node:crypto';
import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { InstancePut } from '#api/instance.ts';
import { changedKeys } from '#base/config-schema.ts';
import { Revert } from '#base/revert.ts';
import type { Reader } from '#server/database/database.ts';
import { deleteChange } from '#server/database/instance-changes.ts';
import { getInstance, type InstanceRecord, patchInstanceConfig, updateInstance } from '#server/database/instances.ts';
import { emitLifecycle } from '#server/events/event-bus.ts';
import { checkAddedDevices, missingVolatile, runVolatile } from '../devices/devices.ts';
import { containerId } from '../paths.ts';
import { applyLimits } from './apply-limits.ts';
import { checkFreeAddresses } from './check-addresses.ts';
import { checkInstance, type CheckedInstance, expandInstance, loadNetworkFacts } from './check-instance.ts';
import { type Expanded, rootDevice } from '../profiles/expand-config.ts';
import { attachDevices, changedDevices, detachDevices, updateDevices } from './instance-devices.ts';
import { type ActionContext, instancePath, type InstanceServices } from './instance-services.ts';
import { guestApiMounts } from './container-spec.ts';
import { changesCloudInit, cloudInitId } from './cloud-init-id.ts';
import { isChange, noteChange } from './note-change.ts';
import type { Plan } from './plan.ts';
import { limitRoot } from './root-volume.ts';
import { pinnedCpus } from './start-instance.ts';
import { assertAllowed, holdInstance } from './status.ts';
import { isSettable, volatileProblem } from './volatile-keys.ts';

export interface UpdateRequest {
  readonly put: Omit<InstancePut, 'restore' | 'stateful'>;
  /** PATCH: members that are absent stay, config and devices are merged; otherwise they are replaced */
  readonly merge: boolean;
  /** throws "etag-mismatch" when the client saw another state */
  readonly check: (writable: unknown) => void;
}

/** The part of an instance that clients may change: its ETag. */
export function writableInstance(record: InstanceRecord): unknown {
  const { architecture, config, devices, ephemeral, profiles, description } = record;
  return { architecture, config, devices, ephemeral, profiles, description };
}

/** Changes an instance's config, devices, profiles …; what a running container can take over takes effect at once. */
export async function changeInstance(
  services: InstanceServices,
  project: string,
  name: string,
  request: UpdateRequest,
  context: ActionContext = {},
): Promise<void> {
  using _lock = await holdInstance(services.locks, project, name, 'update', context.signal);
  await using revert = new Revert(services.log);
  const { before, was, change } = await services.database.write(async tx => {
    const { before, after, was } = await planned(services, tx, project, name, request);
    await updateInstance(tx, before, after);
    const change = isChange(before, after) ? await noteChange(tx, before, 'update', context) : undefined;
    return { before, was, change };
  });
  revert.add('storing the change', () =>
    services.database.write(async tx => {
      await updateInstance(tx, before, before);
      if (change !== undefined) await deleteChange(tx, change);
    }),
  );
  await applyChange(services, before, was, revert);
  revert.commit();
  emitLifecycle(services.events, 'instance-updated', instancePath(name), {
    project,
    ...(context.requestor && { requestor: context.requestor }),
  });
}

/** What changeInstance would do. */
export async function planChange(
  services: InstanceServices,
  project: string,
  name: string,
  request: UpdateRequest,
): Promise<Plan> {
  return await services.database.read(async reader => {
    const { was, now, after } = await planned(services, reader, project, name, request);
    const runs = services.runtime.status(containerId(project, name)) !== 'stopped';
    const keys = changedKeys(was.config, now.config).filter(key => !key.startsWith('volatile.'));
    const { gone, added, updated } = changedDevices(was.devices, now.devices);
    const object = `instance "${name}"`;
    return [
      ...keys.map(
        key =>
          ({
            action: 'change',
            object,
            detail: `${key}: ${was.config[key] ?? '(unset)'} → ${now.config[key] ?? '(unset)'}`,
          }) as const,
      ),
      ...Object.keys(gone).map(
        device => ({ action: 'delete', object: `device "${device}"`, detail: runs ? 'unplugged now' : '' }) as const,
      ),
      ...Object.keys(added).map(
        device => ({ action: 'create', object: `device "${device}"`, detail: runs ? 'plugged in now' : '' }) as const,
      ),
      ...Object.keys(updated).map(
        device => ({ action: 'change', object: `device "${device}"`, detail: runs ? 'in use' : '' }) as const,
      ),
      ...(after.profiles
        ? [{ action: 'change', object, detail: `profiles: ${after.profiles.join(', ')}` } as const]
        : []),
    ];
  });
}

/**
 * Brings a container in line with config that was stored: limits, size of the root disk, devices. `was` is the config
 * in force until now. The caller holds the instance's lock.
 */
export async function applyChange(
  services: InstanceServices,
  before: InstanceRecord,
  was: Expanded,
  revert: Revert,
): Promise<void> {
  const id = containerId(before.project, before.name);
  const runs = services.runtime.status(id) !== 'stopped';
  const { now, config, pinned } = await services.database.write(async tx => {
    const record = await getInstance(tx, before.project, before.name);
    const now = await expandInstance(tx, record);
    const added = Object.keys(changedDevices(was.devices, now.devices).added);
    const keys = {
      ...missingVolatile(now.devices, record.config),
      ...(runs && runVolatile(now.devices, record.config, await loadNetworkFacts(tx, record.project), added)),
      ...(changesCloudInit(was, now) && { [cloudInitId]: randomUUID() }),
    };
    await patchInstanceConfig(tx, record.id, keys);
    return { now, config: { ...record.config, ...keys }, pinned: await pinnedCpus(tx) };
  });
  await applyRootSize(services, before, was, now, revert);
  if (!runs) return;
  await applyLimits(services, before, { was, now }, { config, pinned }, revert);
  await applyGuestApi(services, id, was, now, revert);
  const change = changedDevices(was.devices, now.devices);
  const { gone, added } = change;
  if (Object.keys(gone).length > 0) {
    revert.add('unplugging devices', () =>
      attachDevices(services, before, gone, before.config, new Revert(services.log)),
    );
    await detachDevices(services, before, gone, before.config);
  }
  await attachDevices(services, before, added, config, revert);
  await updateDevices(services, before, change, config, revert);
}

/** Brings /dev/lxd into a running container, or takes it away. */
async function applyGuestApi(
  services: Pick<InstanceServices, 'runtime' | 'paths'>,
  id: string,
  was: Expanded,
  now: Expanded,
  revert: Revert,
): Promise<void> {
  const [before] = guestApiMounts(was.config, services.paths.guestApi);
  const [after] = guestApiMounts(now.config, services.paths.guestApi);
  if (before && !after) {
    revert.add('taking /dev/lxd away', () => services.runtime.attachMount(id, before));
    await services.runtime.detachMount(id, before.target);
  } else if (after && !before) {
    revert.add('bringing /dev/lxd', () => services.runtime.detachMount(id, after.target));
    await services.runtime.attachMount(id, after);
  }
}

async function applyRootSize(
  services: InstanceServices,
  record: InstanceRecord,
  was: Expanded,
  now: Expanded,
  revert: Revert,
): Promise<void> {
  const size = ({ devices }: Expanded): string | undefined => rootDevice(devices)?.[1]['size'] || undefined;
  if (size(was) === size(now)) return;
  revert.add('changing the size of the root disk', () => limitRoot(services, record, size(was)));
  await limitRoot(services, record, size(now));
}

async function planned(
  services: Pick<InstanceServices, 'runtime'>,
  reader: Reader,
  project: string,
  name: string,
  { put, merge, check }: UpdateRequest,
): Promise<{ before: InstanceRecord; after: Partial<InstanceRecord>; was: Expanded; now: CheckedInstance }> {
  const before = await getInstance(reader, project, name);
  assertAllowed(name, before.ready, services.runtime.status(containerId(project, name)), 'update');
  check(writableInstance(before));
  const was = await expandInstance(reader, before);
  const devices = merge ? { ...before.devices, ...put.devices } : (put.devices ?? {});
  const profiles = put.profiles ?? (merge ? before.profiles : ['default']);
  const config = mergeConfig(before, put.config ?? {}, merge, devices);
  const description = put.description ?? (merge ? before.description : '');
  const ephemeral = put.ephemeral ?? (merge ? before.ephemeral : false);
  if (put.architecture && put.architecture !== before.architecture)
    throw new ApiError('invalid-argument', 'Invalid "architecture": it cannot be changed');
  const now = await checkInstance(reader, { name, project, description, config, devices, profiles });
  const { added, updated } = changedDevices(was.devices, now.devices);
  checkAddedDevices(added);
  await checkFreeAddresses(reader, before, { ...added, ...updated });
  if (now.pool !== before.pool)
    throw new ApiError(
      'invalid-argument',
      'The storage pool of the root disk cannot be changed here; move the instance instead',
    );
  const same = before.profiles.join('\n') === profiles.join('\n');
  return { before, was, now, after: { description, ephemeral, config, devices, ...(!same && { profiles }) } };
}

/** Users' keys as asked; the daemon's own stay, but for those that users may choose. */
function mergeConfig(before: InstanceRecord, asked: ConfigMap, merge: boolean, devices: DevicesMap): ConfigMap {
  const isVolatile = (key: string): boolean => key.startsWith('volatile.');
  const config: Record<string, string> = {};
  for (const [key, value] of Object.entries(before.config)) {
    const device = /^volatile\.(.+)\.(hwaddr|host_name|name|last_state\..+)$/.exec(key)?.[1];
    const orphan = device !== undefined && before.devices[device] !== undefined && devices[device] === undefined;
    if (isVolatile(key) ? !orphan : merge) config[key] = value;
  }
  for (const [key, value] of Object.entries(asked)) {
    if (!isVolatile(key)) {
      if (value === '') delete config[key];
      else config[key] = value;
      continue;
    }
    // What a client read before comes back with the rest, and stays as it is.
    if (value === '' || value === before.config[key] || (before.config[key] !== undefined && !isSettable(key)))
      continue;
    const problem = volatileProblem(key, value);
    if (problem !== undefined) throw new ApiError('invalid-argument', `Config key "${key}" ${problem}`);
    if (isSettable(key)) config[key] = value;
  }
  return config;
}
