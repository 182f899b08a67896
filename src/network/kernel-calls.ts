import type { Kernel } from '#native/kernel.ts';

/** The system calls that networks need; tests of the layers above pass their own. */
export type NetworkKernel = Pick<
  typeof Kernel,
  | 'links'
  | 'createBridge'
  | 'changeLink'
  | 'deleteLink'
  | 'addAddress'
  | 'removeAddress'
  | 'pidfdOpen'
  | 'pidfdSendSignal'
  | 'pidfdWatch'
>;
