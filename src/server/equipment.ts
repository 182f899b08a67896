import { MinuteClock } from '#base/minute-clock.ts';
import { kernel } from '#native/kernel.ts';
import type { Equipment } from './daemon.ts';
import { deleteExpiredBackups } from './backups/expire-backups.ts';
import { deleteExpiredPartial } from './migration/expire-partial.ts';
import { recoverBackups } from './backups/recover-backups.ts';
import { openGuestApi } from './devlxd/guest-api.ts';
import { recoverImages } from './images/delete-image.ts';
import { ImageUpkeep } from './images/refresh-image.ts';
import { autostartInstances, stopAllInstances } from './instances/autostart.ts';
import { followContainers } from './instances/follow-containers.ts';
import { keepBackupFiles } from './instances/keep-backup-files.ts';
import { removeLostShapers } from '#network/nic-limits.ts';
import { healFilters } from './instances/heal-filters.ts';
import { recoverInstances } from './instances/recover.ts';
import { followDeviceNodes } from './instances/hotplug.ts';
import { takeScheduledSnapshots } from './instances/scheduled-snapshots.ts';
import { deleteExpiredSnapshots } from './instances/snapshots.ts';
import { buildNetworks } from './networks/build-networks.ts';
import { startNetworks } from './networks/start-networks.ts';
import { stopNetworks } from './networks/stop-networks.ts';
import { tendNetworks } from './networks/tend-networks.ts';
import { MountedPools } from './pools/mounted-pools.ts';
import { recoverPools } from './pools/recover-pools.ts';
import { placeServerFolders } from './volumes/server-folders.ts';
import { tendTrash } from './undo/empty-trash.ts';
import { recoverTrash } from './undo/recover-trash.ts';
import { recoverVolumes } from './volumes/recover-volumes.ts';
import {
  deleteExpiredSnapshots as deleteExpiredVolumeSnapshots,
  takeScheduledSnapshots as takeScheduledVolumeSnapshots,
} from './volumes/scheduled-snapshots.ts';
import { LxcRuntime } from './runtime/lxc-runtime.ts';

const imageUpkeep = new ImageUpkeep();

const clock = new MinuteClock();

/** What this daemon drives, and the order of its start. */
export const equipment: Equipment = {
  build: async core => {
    const networks = buildNetworks(core);
    return {
      pools: new MountedPools(core),
      networks,
      networkControl: networks,
      runtime: new LxcRuntime({ paths: core.paths, log: core.log }),
    };
  },
  recoverySteps: [
    { what: 'removing half-made storage pools', run: recoverPools },
    { what: 'mounting the storage pools', run: ({ pools }) => pools.start() },
    { what: 'putting storage volumes right', run: recoverVolumes },
    { what: 'finding files of the server in storage volumes', run: placeServerFolders },
    { what: 'removing half-made images', run: recoverImages },
    { what: 'removing half-made backups', run: recoverBackups },
    { what: 'starting the networks', run: startNetworks },
    { what: 'following the containers', run: async services => followContainers(services) },
    { what: 'putting instances right', run: recoverInstances },
    { what: 'putting the trash right', run: recoverTrash },
    { what: 'putting back filters of NICs', run: healFilters },
    { what: 'removing what limits of lost NICs need', run: async () => removeLostShapers() },
    { what: 'opening the socket of guests', run: openGuestApi },
    { what: 'keeping backup.yaml of instances', run: keepBackupFiles },
  ],
  startSteps: [
    { what: 'following device nodes', run: async services => followDeviceNodes(services) },
    { what: 'starting instances', run: services => autostartInstances(services) },
  ],
  minuteSteps: [
    // a pool may have been missing
    { what: 'finding files of the server in storage volumes', run: placeServerFolders },
    { what: 'putting back filters of NICs', run: healFilters },
    { what: 'looking after networks', run: services => tendNetworks(services) },
    {
      what: 'deleting expired snapshots',
      run: async services => {
        await deleteExpiredSnapshots(services);
        await deleteExpiredVolumeSnapshots(services);
      },
    },
    {
      what: 'taking scheduled snapshots',
      run: async services => {
        const minutes = clock.due(new Date());
        await takeScheduledSnapshots(services, minutes);
        await takeScheduledVolumeSnapshots(services, minutes);
      },
    },
    { what: 'keeping images up to date', run: services => imageUpkeep.run(services) },
    { what: 'emptying the trash', run: services => tendTrash(services) },
    { what: 'deleting expired backups', run: services => deleteExpiredBackups(services) },
    { what: 'deleting what arrived partly', run: services => deleteExpiredPartial(services) },
  ],
  stopAll: async (services, { timeoutMs }) => {
    await stopAllInstances(services, timeoutMs);
    await stopNetworks(services);
  },
  peerUid: descriptor => kernel.peerCredentials(descriptor).uid,
};
