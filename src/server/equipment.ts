import { kernel } from '#native/kernel.ts';
import type { Equipment } from './daemon.ts';
import { buildNetworks } from './networks/build-networks.ts';
import { startNetworks } from './networks/start-networks.ts';
import { MountedPools } from './pools/mounted-pools.ts';
import { recoverPools } from './pools/recover-pools.ts';
import type { Runtime } from './runtime/runtime.ts';

/** What this daemon drives, and the order of its start. */
export const equipment: Equipment = {
  build: async core => {
    const networks = buildNetworks(core);
    return {
      pools: new MountedPools(core),
      networks,
      networkControl: networks,
      runtime: { close: async () => undefined } as unknown as Runtime,
    };
  },
  startSteps: [
    { what: 'removing half-made storage pools', run: recoverPools },
    { what: 'mounting the storage pools', run: ({ pools }) => pools.start() },
    { what: 'starting the networks', run: startNetworks },
  ],
  stopInstances: async () => undefined,
  peerUid: descriptor => kernel.peerCredentials(descriptor).uid,
};
