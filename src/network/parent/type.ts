import type { KeyTable } from '#base/config-schema.ts';
import type { NetworkType } from '../driver.ts';
import type { NetworkKernel } from '../kernel-calls.ts';
import { macvlanKeys, physicalKeys } from './config-keys.ts';
import { ParentDriver } from './driver.ts';

/** Types of networks that lie on a host interface. */
export function parentTypes(kernel: NetworkKernel): readonly NetworkType[] {
  return [parentType('macvlan', macvlanKeys, kernel), parentType('physical', physicalKeys, kernel)];
}

function parentType(name: string, keys: KeyTable, kernel: NetworkKernel): NetworkType {
  return {
    name,
    keys,
    create: context => new ParentDriver(name, context, kernel),
    completeConfig: config => Promise.resolve(config),
    problem: (_network, config) => (config['parent'] ? undefined : '"parent" is required'),
    subnets: () => [],
  };
}
