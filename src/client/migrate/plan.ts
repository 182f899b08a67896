import type { DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { InstanceFull } from '#api/instance.ts';
import type { Client } from '../client.ts';

/** Ways to move an instance that runs, best first; one that is stopped just moves. */
export const methodNames = ['near-live', 'cold'] as const;
export type MethodName = (typeof methodNames)[number];

/** Something that speaks against a move, or that will be different after it. */
export interface Reason {
  /** undefined: against every method */
  readonly method?: MethodName;
  /** true: it cannot be done; false: it will be done, and this is to be known */
  readonly blocks: boolean;
  readonly text: string;
}

export interface MigrationPlan {
  readonly instance: InstanceFull;
  /** undefined when nothing can be done */
  readonly method: MethodName | undefined;
  readonly reasons: readonly Reason[];
  /** undefined where the pool does not know */
  readonly bytes: number | undefined;
}

export interface PlanRequest {
  readonly source: Client;
  readonly target: Client;
  readonly name: string;
  readonly newName: string;
  /** devices as they will be at the target, before profiles */
  readonly devices: DevicesMap;
  readonly profiles: readonly string[];
  readonly wanted: MethodName | undefined;
  /** the target has rounds of an earlier attempt */
  readonly resume: boolean;
}

/** Looks at both servers and says what would be done and why. Changes nothing. */
export async function planMigration(request: PlanRequest): Promise<MigrationPlan> {
  const { source, target, name } = request;
  const instance = await source.instances.full(name);
  const reasons = [
    ...(await nameReasons(request)),
    ...protectionReasons(instance),
    ...(await hostReasons(target, instance)),
    ...(await profileReasons(target, request.profiles)),
    ...(await deviceReasons(request, instance)),
  ];
  const bytes = usedBytes(instance);
  reasons.push(...(await spaceReasons(request, instance, bytes)));
  const possible = methodNames.filter(
    method => !reasons.some(reason => reason.blocks && (reason.method === undefined || reason.method === method)),
  );
  const method = request.wanted ? possible.find(one => one === request.wanted) : possible[0];
  return { instance, method, reasons, bytes };
}

async function nameReasons({ target, newName, resume }: PlanRequest): Promise<readonly Reason[]> {
  const there = await target.instances.find(newName);
  if (there && !resume)
    return [blocking(`the target has an instance "${newName}": name another, or use "--resume" to go on with a move`)];
  if (!there && resume) return [blocking(`the target has nothing of "${newName}" to resume`)];
  if (there && there.status !== 'Stopped') return [blocking(`instance "${newName}" runs at the target already`)];
  return [];
}

function protectionReasons({ expanded_config: config }: InstanceFull): readonly Reason[] {
  if (config['security.protection.delete'] !== 'true') return [];
  return [blocking('it is protected from being deleted here: unset "security.protection.delete" first')];
}

async function hostReasons(target: Client, instance: InstanceFull): Promise<readonly Reason[]> {
  const { environment } = (await target.server.get()).value;
  const reasons: Reason[] = [];
  if (environment && !environment.architectures.includes(instance.architecture))
    reasons.push(blocking(`the target runs ${environment.architectures.join(', ')}, not ${instance.architecture}`));
  const features = environment?.kernel_features ?? {};
  if (instance.expanded_config['security.privileged'] !== 'true' && features['idmapped_mounts'] === 'false')
    reasons.push(remark('the target has no id-mapped mounts: it will shift all ids on disk at the first start'));
  return reasons;
}

async function profileReasons(target: Client, profiles: readonly string[]): Promise<readonly Reason[]> {
  const missing: string[] = [];
  for (const profile of profiles) if (!(await target.profiles.find(profile))) missing.push(profile);
  return missing.map(name => blocking(`the target has no profile "${name}": create it, or choose with "--profile"`));
}

async function deviceReasons(request: PlanRequest, instance: InstanceFull): Promise<readonly Reason[]> {
  const reasons: Reason[] = [];
  for (const [name, device] of Object.entries(await expandedAtTarget(request))) {
    if (device['type'] === 'nic' && device['network'] !== undefined)
      reasons.push(...(await networkReasons(request, name, device['network'])));
    else if (device['type'] === 'disk' && device['path'] !== '/')
      reasons.push(await diskReason(request.target, name, device));
    else if (['unix-char', 'unix-block', 'unix-hotplug', 'usb', 'gpu'].includes(device['type'] ?? ''))
      reasons.push(remark(`device "${name}" (${device['type'] ?? ''}) must exist on the target's host`));
  }
  if (
    !Object.values(await expandedAtTarget(request)).some(device => device['type'] === 'disk' && device['path'] === '/')
  )
    reasons.push(blocking('there would be no root disk at the target: name a pool with "--storage"'));
  if (instance.status === 'Frozen') reasons.push({ method: 'near-live', blocks: true, text: 'it is frozen' });
  return reasons;
}

/** Local devices over those of the target's profiles. */
async function expandedAtTarget({ target, profiles, devices }: PlanRequest): Promise<DevicesMap> {
  let expanded: DevicesMap = {};
  for (const name of profiles) expanded = { ...expanded, ...(await target.profiles.find(name))?.devices };
  return { ...expanded, ...devices };
}

async function networkReasons(
  { source, target }: PlanRequest,
  device: string,
  name: string,
): Promise<readonly Reason[]> {
  const there = await target.networks.find(name);
  if (!there)
    return [
      blocking(`the target has no network "${name}" for "${device}": choose one with "-d ${device},network=NAME"`),
    ];
  const here = await source.networks.find(name);
  const subnet = (config: Readonly<Record<string, string>> | undefined): string =>
    `${config?.['ipv4.address'] ?? ''} ${config?.['ipv6.address'] ?? ''}`.trim();
  if (!here || subnet(here.config) === subnet(there.config)) return [];
  return [
    remark(
      `network "${name}" is ${subnet(here.config) || 'not addressed'} here and ${subnet(there.config) || 'not addressed'} there: "${device}" gets another address`,
    ),
  ];
}

async function diskReason(target: Client, name: string, device: Readonly<Record<string, string>>): Promise<Reason> {
  const { pool, source } = device;
  if (pool === undefined) return remark(`device "${name}" wants "${source ?? ''}" of the target's host`);
  const there = await target.storagePools.find(pool);
  if (!there) return blocking(`the target has no storage pool "${pool}" for device "${name}"`);
  const volume = await target.storagePools.volumes(pool, 'custom').find(source ?? '');
  return volume
    ? remark(`device "${name}" will be the target's own volume "${source ?? ''}"`)
    : blocking(
        `the target has no volume "${source ?? ''}" for device "${name}": copy it with "storage volume copy" first`,
      );
}

async function spaceReasons(
  request: PlanRequest,
  instance: InstanceFull,
  bytes: number | undefined,
): Promise<readonly Reason[]> {
  const root = Object.values(await expandedAtTarget(request)).find(device => device['path'] === '/');
  const pool = root?.['pool'];
  if (pool === undefined) return [];
  if (!(await request.target.storagePools.find(pool)))
    return [blocking(`the target has no storage pool "${pool}": name another with "--storage"`)];
  const { space } = await request.target.storagePools.resources(pool);
  const free = space.total - space.used;
  const needed = bytes ?? 0;
  if (space.total === 0 || needed < free) return [];
  return [
    blocking(`"${instance.name}" has ${megabytes(needed)} and storage pool "${pool}" there ${megabytes(free)} free`),
  ];
}

function usedBytes(instance: InstanceFull): number | undefined {
  const usages = Object.values(instance.state.disk ?? {}).map(disk => disk.usage);
  const known = usages.filter(usage => usage > 0);
  return known.length > 0 ? Math.max(...known) : undefined;
}

/** Throws "failed-precondition" with all that stands in the way. */
export function assertPossible({ instance, method, reasons }: MigrationPlan): MethodName {
  if (method !== undefined) return method;
  const against = reasons.filter(reason => reason.blocks).map(reason => reason.text);
  throw new ApiError(
    'failed-precondition',
    `Cannot migrate instance "${instance.name}": ${against.join('; ') || 'no method is possible'}`,
  );
}

export function megabytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

function blocking(text: string): Reason {
  return { blocks: true, text };
}

function remark(text: string): Reason {
  return { blocks: false, text };
}
