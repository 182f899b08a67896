import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { effectiveBoolean, parseBoolean } from '#base/config-schema.ts';
import type { InstanceRecord } from '#server/database/instances.ts';
import { deviceType } from '../devices/devices.ts';
import { containerId } from '../paths.ts';
import type { ContainerSpec } from '../runtime/runtime.ts';
import { expandInstance } from './check-instance.ts';
import { instanceKeys } from './config-keys.ts';
import { contextOf } from './instance-devices.ts';
import type { InstanceServices } from './instance-services.ts';

/** Whether to start a container so that its state can be kept: asked for, and possible at all. */
export async function isCheckpointable(
  { runtime }: Pick<InstanceServices, 'runtime'>,
  config: ConfigMap,
): Promise<boolean> {
  if (configObstacles(config).length > 0) return false;
  return (await runtime.checkpoints.support()).obstacle === undefined;
}

/** Throws "failed-precondition" with every reason why the state of an instance cannot be kept now. */
export async function assertStateCanBeKept(services: InstanceServices, record: InstanceRecord): Promise<void> {
  const reasons = await stateObstacles(services, record);
  if (reasons.length === 0) return;
  throw new ApiError(
    'failed-precondition',
    `Cannot keep the state of instance "${record.name}": ${reasons.join('; ')}`,
  );
}

/** Every reason why the state of an instance's processes cannot be kept now; empty when it can be tried. */
export async function stateObstacles(services: InstanceServices, record: InstanceRecord): Promise<readonly string[]> {
  const { config, devices } = await services.database.read(reader => expandInstance(reader, record));
  const { obstacle } = await services.runtime.checkpoints.support();
  return [
    ...(obstacle === undefined ? [] : [obstacle]),
    ...configObstacles(config),
    ...(record.ephemeral ? ['it is ephemeral and goes when it stops'] : []),
    ...deviceObstacles(services, record, devices),
    ...statusObstacles(services, record, config),
  ];
}

function configObstacles(config: ConfigMap): readonly string[] {
  const reasons: string[] = [];
  if (!effectiveBoolean(instanceKeys, config, 'migration.stateful'))
    reasons.push('config key "migration.stateful" is not true; set it and restart the instance');
  if (effectiveBoolean(instanceKeys, config, 'security.privileged'))
    reasons.push('it is privileged, and would come back without the rules for its devices');
  if (effectiveBoolean(instanceKeys, config, 'nvidia.runtime'))
    reasons.push('config key "nvidia.runtime" gives it devices of the host');
  const foreign = Object.keys(config).find(
    key => key === 'raw.seccomp' || /^security\.syscalls\.(allow|whitelist)$/.test(key),
  );
  if (foreign !== undefined && config[foreign])
    reasons.push(`config key "${foreign}" leaves no place for the rules that it needs`);
  const intercepted = Object.entries(config).find(
    ([key, value]) => key.startsWith('security.syscalls.intercept.') && parseBoolean(value),
  );
  if (intercepted) reasons.push(`config key "${intercepted[0]}" has the host answer its system calls`);
  return reasons;
}

/** Devices whose part of the state is outside the container: all but those that are made anew for it. */
function deviceObstacles(services: InstanceServices, record: InstanceRecord, devices: DevicesMap): readonly string[] {
  return Object.entries(devices).flatMap(([name, options]) => {
    const type = deviceType(name, options);
    if (['none', 'proxy'].includes(type.type) || (type.type === 'disk' && options['path'] === '/')) return [];
    const link = type.link?.(contextOf(services, record, name, options, record.config));
    if (link?.kind === 'veth') return [];
    const what = link ? `a NIC of kind "${link.kind}"` : `of type "${type.type}"`;
    return [`device "${name}" is ${what}, whose state stays on the host`];
  });
}

function statusObstacles(services: InstanceServices, record: InstanceRecord, config: ConfigMap): readonly string[] {
  const id = containerId(record.project, record.name);
  const status = services.runtime.status(id);
  if (status === 'stopped') return ['it is not running'];
  if (status === 'frozen') return ['it is frozen; unfreeze it first'];
  if (services.runtime.checkpoints.prepared(id) || configObstacles(config).length > 0) return [];
  return ['it was started before its config allowed that; restart it'];
}

/** Throws "failed-precondition" when a container cannot go on from a state. */
export async function assertRestorable(
  { runtime }: Pick<InstanceServices, 'runtime'>,
  { name }: Pick<InstanceRecord, 'name'>,
  spec: ContainerSpec,
  state: string,
): Promise<void> {
  const { obstacle } = await runtime.checkpoints.support();
  const reason = obstacle ?? (await difference(runtime, spec, state));
  if (reason === undefined) return;
  throw new ApiError('failed-precondition', `Cannot bring back the state of instance "${name}": ${reason}`);
}

async function difference(
  runtime: InstanceServices['runtime'],
  spec: ContainerSpec,
  state: string,
): Promise<string | undefined> {
  const note = await runtime.checkpoints.note(state);
  if (!note) return 'it is not whole';
  if (!spec.checkpointable) return 'config key "migration.stateful" is not true any more';
  if (JSON.stringify(note.idmap) !== JSON.stringify(spec.idmap)) return 'its ids on the host were others';
  const names = spec.nics.map(nic => nic.name).sort();
  if ([...note.nics].sort().join() !== names.join())
    return `it had the NICs ${note.nics.join(', ') || '(none)'}, not ${names.join(', ') || '(none)'}`;
  return undefined;
}
