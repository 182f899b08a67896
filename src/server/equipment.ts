import { notFound } from '#api/error.ts';
import { kernel } from '#native/kernel.ts';
import type { Equipment } from './daemon.ts';
import type { Runtime } from './runtime/runtime.ts';

/** What this daemon drives, and the order of its start. */
export const equipment: Equipment = {
  build: async () => ({
    pools: {
      list: () => [],
      get: name => {
        throw notFound('Storage pool', name);
      },
    },
    networks: {
      find: () => undefined,
      get: name => {
        throw notFound('Network', name);
      },
    },
    runtime: { close: async () => undefined } as unknown as Runtime,
  }),
  startSteps: [],
  stopInstances: async () => undefined,
  peerUid: descriptor => kernel.peerCredentials(descriptor).uid,
};
