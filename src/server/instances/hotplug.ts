import { existsSync, type FSWatcher, watch } from 'node:fs';
import path from 'node:path';
import type { DevicesMap } from '#api/common.ts';
import { findInstance, type InstanceRecord } from '#server/database/instances.ts';
import { deviceType } from '../devices/devices.ts';
import { containerId } from '../paths.ts';
import { expandInstance } from './check-instance.ts';
import { listExpanded } from './expand-many.ts';
import { contextOf } from './instance-devices.ts';
import type { InstanceServices } from './instance-services.ts';
import { holdInstance } from './status.ts';

/** Milliseconds in which nodes that come together are waited for: a device often has several. */
const settleMs = 50;

interface Candidate {
  readonly record: InstanceRecord;
  /** those that come and go */
  readonly devices: DevicesMap;
}

/**
 * Plugs device nodes into running containers when they appear on the host and out when they go, from now on. Whatever
 * happens, the nodes that should be there are compared with those that are: an event lost is made up by the next.
 */
export function followDeviceNodes(services: InstanceServices): void {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      settle(services, watchers, soon).catch((error: unknown) =>
        services.log.error('Failed following device nodes', { error }),
      );
    }, settleMs).unref();
  };
  services.events.subscribe({ types: ['lifecycle'] }, event => {
    const { action } = event.metadata as { readonly action: string };
    if (/^(instance-(started|updated|restarted|restored|stopped|shutdown)|profile-updated)$/.test(action)) soon();
  });
  soon();
}

async function settle(
  services: InstanceServices,
  watchers: Map<string, FSWatcher>,
  changed: () => void,
): Promise<void> {
  const candidates = await running(services);
  watchFolders(foldersOf(candidates), watchers, changed);
  for (const candidate of candidates) {
    try {
      await followOne(services, candidate);
    } catch (error) {
      const { project, name } = candidate.record;
      services.log.warning('Failed plugging device nodes', { project, instance: name, error });
    }
  }
}

async function followOne(services: InstanceServices, { record: { project, name } }: Candidate): Promise<void> {
  using _lock = await holdInstance(services.locks, project, name, 'update');
  const record = await services.database.read(reader => findInstance(reader, project, name));
  const id = containerId(project, name);
  if (!record || services.runtime.status(id) === 'stopped') return;
  const { devices } = await services.database.read(reader => expandInstance(reader, record));
  for (const [device, options] of Object.entries(hotplugged(devices))) {
    const { hotplug } = deviceType(device, options);
    if (!hotplug) continue;
    const context = contextOf(services, record, device, options, record.config);
    const { gone, come } = await hotplug.changes(context).catch(() => ({ gone: [], come: [] }));
    for (const { target, number } of gone) {
      await services.runtime.detachMount(id, target, number);
      await hotplug.unplugged(context, target);
    }
    for (const node of come) {
      try {
        await services.runtime.attachMount(id, await hotplug.plug(context, node));
      } catch (error) {
        await hotplug.unplugged(context, node.target);
        throw error;
      }
    }
  }
}

/** Running instances with devices that come and go. */
async function running(services: InstanceServices): Promise<readonly Candidate[]> {
  return (await services.database.read(listExpanded))
    .filter(({ record }) => services.runtime.status(containerId(record.project, record.name)) !== 'stopped')
    .map(({ record, expanded }) => ({ record, devices: hotplugged(expanded.devices) }))
    .filter(({ devices }) => Object.keys(devices).length > 0);
}

function hotplugged(devices: DevicesMap): DevicesMap {
  return Object.fromEntries(
    Object.entries(devices).filter(([name, options]) => deviceType(name, options).hotplug?.applies(options)),
  );
}

/** The folders in which the watched files are, or will come: what is not there yet comes into one that is. */
function foldersOf(candidates: readonly Candidate[]): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const { devices } of candidates) {
    for (const [name, options] of Object.entries(devices)) {
      for (const file of deviceType(name, options).hotplug?.watched(options) ?? []) {
        let folder = path.dirname(file);
        while (folder !== '/' && !existsSync(folder)) folder = path.dirname(folder);
        folders.add(folder);
      }
    }
  }
  return folders;
}

function watchFolders(folders: ReadonlySet<string>, watchers: Map<string, FSWatcher>, changed: () => void): void {
  for (const [folder, watcher] of watchers) {
    if (folders.has(folder)) continue;
    watcher.close();
    watchers.delete(folder);
  }
  for (const folder of folders) {
    if (watchers.has(folder)) continue;
    // "rename" is coming and going; what is written to a device does not matter
    const watcher = watch(folder, { persistent: false }, kind => kind === 'rename' && changed());
    watcher.on('error', () => watchers.delete(folder));
    watchers.set(folder, watcher);
  }
}
