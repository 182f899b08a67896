import type { ConfigMap } from '#api/common.ts';
import { ApiError, invalid } from '#api/error.ts';
import { hasControlCharacters, interfaceNameProblem } from '#base/names.ts';
import { valueProblem } from '#base/config-schema.ts';
import { parseCidr, overlaps } from '#network/ip-address.ts';
import type { NetworkType } from '#network/driver.ts';
import type { Reader } from '../database/database.ts';
import { findAcl } from '../database/network-acls.ts';
import { findZone } from '../database/network-zones.ts';
import type { NetworkRecord } from '../database/networks.ts';
import type { NetworkControl } from './networks.ts';
import { aclsOf } from './policies.ts';
import { zoneReferences } from './zone-references.ts';

/** Throws "invalid-argument" naming what is wrong with a name for a new network, "already-exists" for a host's link. */
export function checkName(control: Pick<NetworkControl, 'links'>, name: string): void {
  const problem = interfaceNameProblem(name);
  if (problem !== undefined) throw invalid('name', problem);
  if (control.links().some(link => link.name === name)) {
    throw new ApiError('already-exists', `Cannot name a network "${name}": the host has an interface of that name`);
  }
}

/** Throws "invalid-argument" naming the key; empty values mean "not set". */
export function checkConfig(type: NetworkType, config: ConfigMap): void {
  for (const [key, value] of Object.entries(config)) {
    const problem = valueProblem(type.keys, key, value);
    if (problem !== undefined) throw invalid(`config.${key}`, problem);
  }
}

export function checkWhole(type: NetworkType, name: string, config: ConfigMap): void {
  const problem = type.problem(name, config);
  if (problem !== undefined) throw new ApiError('invalid-argument', `Invalid config of network "${name}": ${problem}`);
}

export function checkDescription(description: string): void {
  if (hasControlCharacters(description))
    throw invalid('description', 'must not hold line breaks or control characters');
}

/** Subnets of all networks but one, with the name of each. */
export function takenSubnets(
  control: Pick<NetworkControl, 'type'>,
  records: readonly NetworkRecord[],
  except: string,
): readonly { readonly owner: string; readonly subnet: string }[] {
  return records
    .filter(({ name }) => name !== except)
    .flatMap(({ name, type, config }) =>
      control
        .type(type)
        .subnets(config)
        .map(subnet => ({ owner: `network "${name}"`, subnet })),
    );
}

/** Throws "invalid-argument" naming the network or host interface that has (a part of) the same subnet. */
export function checkOverlap(
  control: Pick<NetworkControl, 'type' | 'links'>,
  network: Pick<NetworkRecord, 'name' | 'type' | 'config'>,
  others: readonly NetworkRecord[],
): void {
  const ofLinks = control
    .links()
    .filter(link => link.name !== network.name && !others.some(other => other.name === link.name))
    .flatMap(link =>
      link.addresses
        .filter(({ scope }) => scope === 'global')
        .map(({ address, prefixLength }) => ({
          owner: `host interface "${link.name}"`,
          subnet: `${address}/${String(prefixLength)}`,
        })),
    );
  const taken = [...takenSubnets(control, others, network.name), ...ofLinks];
  for (const own of control.type(network.type).subnets(network.config)) {
    const wanted = parseCidr(own);
    for (const { owner, subnet } of taken) {
      const other = parseCidr(subnet);
      if (!wanted || !other || !overlaps(wanted, other)) continue;
      const key = `ipv${String(wanted.family)}.address`;
      throw invalid(`config.${key}`, `subnet ${own} overlaps with ${subnet} of ${owner}`);
    }
  }
}

/** Throws "invalid-argument" when a network that needs its host interface for itself would share it. */
export function checkParent(
  network: Pick<NetworkRecord, 'name' | 'type' | 'config'>,
  others: readonly NetworkRecord[],
): void {
  const parent = network.config['parent'];
  if (!parent) return;
  const sharing = others.find(
    ({ name, type, config }) =>
      name !== network.name && config['parent'] === parent && [type, network.type].includes('physical'),
  );
  if (sharing) throw invalid('config.parent', `interface "${parent}" is in use by network "${sharing.name}"`);
}

/** Throws "invalid-argument" naming the key whose value names an object that does not exist. */
export async function checkReferences(reader: Reader, config: ConfigMap): Promise<void> {
  for (const name of aclsOf(config)) {
    if (!(await findAcl(reader, name))) throw invalid('config.security.acls', `network ACL "${name}" does not exist`);
  }
  for (const key of zoneReferences) {
    const name = config[key];
    if (name && !(await findZone(reader, name))) throw invalid(`config.${key}`, `network zone "${name}" doesn't exist`);
  }
}

/** Config without the keys that mean nothing: those with an empty value. */
export function withoutEmpty(config: ConfigMap): ConfigMap {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== ''));
}
