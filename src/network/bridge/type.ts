import type { ConfigMap } from '#api/common.ts';
import type { NetworkType } from '../driver.ts';
import { formatCidr, networkOf } from '../ip-address.ts';
import type { NetworkKernel } from '../kernel-calls.ts';
import { completeConfig } from './complete-config.ts';
import { bridgeKeys } from './config-keys.ts';
import { BridgeDriver } from './driver.ts';
import { bridgeProblem } from './problem.ts';
import { bridgeSettings } from './settings.ts';

export function bridgeType(kernel: NetworkKernel): NetworkType {
  return {
    name: 'bridge',
    keys: bridgeKeys,
    create: context => new BridgeDriver(context, kernel),
    completeConfig: (config, options) => completeConfig(kernel, config, options),
    problem: bridgeProblem,
    subnets: bridgeSubnets,
  };
}

function bridgeSubnets(config: ConfigMap): readonly string[] {
  const { ipv4, ipv6 } = bridgeSettings('any', config);
  return [ipv4, ipv6].flatMap(family => (family ? [formatCidr(networkOf(family.address))] : []));
}
