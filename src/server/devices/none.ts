import { type DeviceType, nothing } from './device.ts';

/** Takes away the device of the same name that a profile brings. */
export const none: DeviceType = {
  type: 'none',
  keys: {},
  problem: () => undefined,
  start: async () => nothing,
  stop: async () => undefined,
};
