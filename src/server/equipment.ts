import { notFound } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import type { Equipment } from './daemon.ts';
import { buildNetworks } from './networks/build-networks.ts';
import { startNetworks } from './networks/start-networks.ts';
import type { Runtime } from './runtime/runtime.ts';

/** What this daemon drives, and the order of its start. */
export const equipment: Equipment = {
  build: async core => {
    const networks = buildNetworks(core);
    return {
      pools: {
        list: () => [],
        get: name => {
          throw notFound('Storage pool', name);
        },
      },
      runtime: { close: async () => undefined } as unknown as Runtime,
      networks,
      networkControl: networks,
    };
  },
  startSteps: [{ what: 'starting the networks', run: startNetworks }],
  stopInstances: async () => undefined,
  peerUid: descriptor => kernel.peerCredentials(descriptor).uid,
};
