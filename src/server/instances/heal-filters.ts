import { missingNicFilters } from '#network/nic-filter.ts';
import { findInstance } from '#server/database/instances.ts';
import { listNics } from '#server/database/network-nics.ts';
import { deviceType } from '../devices/devices.ts';
import { isFiltered } from '../devices/nic-filter.ts';
import { containerId } from '../paths.ts';
import { expandInstance } from './check-instance.ts';
import { contextOf } from './instance-devices.ts';
import type { InstanceServices } from './instance-services.ts';
import { holdInstance } from './status.ts';

/** Puts back the filters of running NICs that somebody has removed, as a reload of the host's own firewall does. */
export async function healFilters(services: InstanceServices): Promise<void> {
  const { database, networks, runtime, log } = services;
  const filtered = (await database.read(listNics)).filter(
    ({ project, instance, options }) =>
      isFiltered(options) && runtime.status(containerId(project, instance)) !== 'stopped',
  );
  if (filtered.length === 0) return;
  const nics = filtered.map(nic => ({ ...nic, instance: containerId(nic.project, nic.instance), name: nic.instance }));
  for (const { project, name, device } of await missingNicFilters(networks.firewallTable, nics)) {
    try {
      await healFilter(services, project, name, device);
      log.warning('Put back the filter of a NIC', { project, instance: name, device });
    } catch (error) {
      log.error('Failed putting back the filter of a NIC', { project, instance: name, device, error });
    }
  }
}

async function healFilter(services: InstanceServices, project: string, name: string, device: string): Promise<void> {
  using _lock = await holdInstance(services.locks, project, name, 'update');
  const found = await services.database.read(async reader => {
    const record = await findInstance(reader, project, name);
    return record && { record, devices: (await expandInstance(reader, record)).devices };
  });
  const options = found?.devices[device];
  // it may have stopped, or lost the NIC, while we waited
  if (!found || !options || services.runtime.status(containerId(project, name)) === 'stopped') return;
  const context = contextOf(services, found.record, device, options, found.record.config);
  await deviceType(device, options).update?.(context, options);
}
