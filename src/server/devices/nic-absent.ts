import type { DeviceType } from './device.ts';
import { ipvlanKeys, kindKey, physicalKeys } from './nic-keys.ts';

/** Kinds of NIC that this server knows and cannot give: their options are checked, and then the reason is told. */
export const nicIpvlan = refused(
  'ipvlan',
  ipvlanKeys,
  'is not supported here; "routed" shares a host address range too',
);
export const nicSriov = refused(
  'sriov',
  { ...physicalKeys, ...kindKey('sriov') },
  'needs a card with virtual functions, which is not supported here; move a whole one with "physical"',
);
export const nicOvn = refused(
  'ovn',
  { ...physicalKeys, ...kindKey('ovn') },
  'needs Open Virtual Network, which is not supported here',
);

function refused(kind: string, keys: DeviceType['keys'], reason: string): DeviceType {
  return {
    type: 'nic',
    keys,
    problem: () => ({ key: 'nictype', reason: `"${kind}" ${reason}` }),
    start: () => Promise.resolve({ nics: [], mounts: [] }),
    stop: () => Promise.resolve(),
  };
}
