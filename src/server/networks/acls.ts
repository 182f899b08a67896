import { alreadyExists, ApiError } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { NetworkAcl, NetworkAclPut, NetworkAclsPost } from '#api/network-acl.ts';
import { Revert } from '#base/revert.ts';
import { listOf } from '#network/checks.ts';
import type { Reader } from '../database/database.ts';
import {
  deleteAclRow,
  findAcl,
  getAcl,
  insertAcl,
  listAcls,
  type NetworkAclRecord,
  renameAclRow,
  updateAclRow,
} from '../database/network-acls.ts';
import { listNetworks, type NetworkRecord } from '../database/networks.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import { applyPolicies } from './apply-policies.ts';
import { type Change, requested } from './change.ts';
import { checkAclName, checkRules, checkUserConfig } from './check-acl.ts';
import { checkDescription, withoutEmpty } from './check-network.ts';
import type { NetworkServices } from './create-network.ts';
import { networksWith } from './policies.ts';

export async function createAcl(
  services: NetworkServices,
  request: NetworkAclsPost,
  requestor?: Requestor,
): Promise<void> {
  const { name } = request;
  using _lock = await services.locks.hold(`network-acl/${name}`, 'create');
  checkAclName(name);
  await services.database.write(async tx => {
    if (await findAcl(tx, name)) throw alreadyExists('Network ACL', name);
    await insertAcl(tx, { name, ...(await wanted(tx, name, request)) });
  });
  tell(services, 'network-acl-created', name, requestor);
}

/** Changes a list; networks that have it take it over, or none does. */
export async function updateAcl(
  services: NetworkServices,
  name: string,
  request: NetworkAclPut,
  { mode, assertUnchanged, requestor }: Change<NetworkAclRecord>,
): Promise<void> {
  const { database } = services;
  using _lock = await services.locks.hold(`network-acl/${name}`, 'update');
  await using revert = new Revert(services.log);
  const { before, networks } = await database.write(async tx => {
    const before = await getAcl(tx, name);
    assertUnchanged(before);
    await updateAclRow(tx, before, await wanted(tx, name, requested(before, request, mode)));
    return { before, networks: networksWith(await listNetworks(tx), name).map(network => network.name) };
  });
  revert.add('storing the change', async () => {
    await database.write(tx => updateAclRow(tx, before, before));
    await applyPolicies(services, networks);
  });
  await applyPolicies(services, networks);
  revert.commit();
  tell(services, 'network-acl-updated', name, requestor);
}

export async function renameAcl(
  services: NetworkServices,
  name: string,
  newName: string,
  requestor?: Requestor,
): Promise<void> {
  using _lock = await services.locks.hold(`network-acl/${name}`, 'rename');
  checkAclName(newName);
  await services.database.write(async tx => {
    await getAcl(tx, name);
    if (await findAcl(tx, newName)) throw alreadyExists('Network ACL', newName);
    await checkUnused(tx, name, 'rename');
    await renameAclRow(tx, name, newName);
  });
  emitLifecycle(services.events, 'network-acl-renamed', urlOf(newName), {
    context: { old_name: name },
    ...(requestor && { requestor }),
  });
}

export async function deleteAcl(services: NetworkServices, name: string, requestor?: Requestor): Promise<void> {
  using _lock = await services.locks.hold(`network-acl/${name}`, 'delete');
  await services.database.write(async tx => {
    await getAcl(tx, name);
    await checkUnused(tx, name, 'delete');
    await deleteAclRow(tx, name);
  });
  tell(services, 'network-acl-deleted', name, requestor);
}

export async function showAcls({ database }: Pick<NetworkServices, 'database'>): Promise<readonly NetworkAcl[]> {
  return database.read(async reader => {
    const known = await loadKnown(reader);
    return known.acls.map(acl => shown(acl, usersOf(known, acl.name)));
  });
}

export async function showAcl({ database }: Pick<NetworkServices, 'database'>, name: string): Promise<NetworkAcl> {
  return database.read(async reader => shown(await getAcl(reader, name), usersOf(await loadKnown(reader), name)));
}

/** The writable part, which the ETag is made of. */
export function writableAcl({ name, description, ingress, egress, config }: Omit<NetworkAcl, 'used_by'>): unknown {
  return { name, description, ingress, egress, config };
}

function shown({ id: _id, ...acl }: NetworkAclRecord, users: readonly string[]): NetworkAcl {
  return { ...acl, used_by: users };
}

async function wanted(
  reader: Reader,
  name: string,
  { description = '', config, ingress, egress }: NetworkAclPut,
): Promise<Omit<NetworkAclRecord, 'id' | 'name'>> {
  checkDescription(description);
  checkUserConfig(config ?? {});
  return {
    description,
    config: withoutEmpty(config ?? {}),
    ingress: await checkRules(reader, name, 'ingress', ingress ?? []),
    egress: await checkRules(reader, name, 'egress', egress ?? []),
  };
}

/** Everything that may use an access list. */
interface Known {
  readonly networks: readonly NetworkRecord[];
  readonly acls: readonly NetworkAclRecord[];
}

async function loadKnown(reader: Reader): Promise<Known> {
  return { networks: await listNetworks(reader), acls: await listAcls(reader) };
}

/** URLs of the networks that have a list, and of other lists whose rules name it. */
function usersOf({ networks, acls }: Known, name: string): readonly string[] {
  const lists = acls.filter(
    acl =>
      acl.name !== name &&
      [...acl.ingress, ...acl.egress].some(({ source = '', destination = '' }) =>
        [...listOf(source), ...listOf(destination)].includes(name),
      ),
  );
  return [
    ...networksWith(networks, name).map(network => `/1.0/networks/${encodeURIComponent(network.name)}`),
    ...lists.map(acl => urlOf(acl.name)),
  ];
}

async function checkUnused(reader: Reader, name: string, action: string): Promise<void> {
  const users = usersOf(await loadKnown(reader), name);
  if (users.length === 0) return;
  throw new ApiError('failed-precondition', `Cannot ${action} an ACL that is in use: by ${users.join(', ')}`);
}

function urlOf(name: string): string {
  return `/1.0/network-acls/${encodeURIComponent(name)}`;
}

function tell({ events }: NetworkServices, action: string, name: string, requestor?: Requestor): void {
  emitLifecycle(events, action, urlOf(name), requestor ? { requestor } : {});
}
