import { notFound } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import type { Equipment } from './daemon.ts';
import { MountedPools } from './pools/mounted-pools.ts';
import { recoverPools } from './pools/recover-pools.ts';
import type { Runtime } from './runtime/runtime.ts';

/** What this daemon drives, and the order of its start. */
export const equipment: Equipment = {
  build: async core => ({
    pools: new MountedPools(core),
    networks: {
      find: () => undefined,
      get: name => {
        throw notFound('Network', name);
      },
    },
    runtime: { close: async () => undefined } as unknown as Runtime,
  }),
  startSteps: [
    { what: 'removing half-made storage pools', run: recoverPools },
    { what: 'mounting the storage pools', run: ({ pools }) => pools.start() },
  ],
  stopInstances: async () => undefined,
  peerUid: descriptor => kernel.peerCredentials(descriptor).uid,
};
