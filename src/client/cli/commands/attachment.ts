import { ApiError } from '#api/error.ts';
import type { DeviceMap, DevicesMap } from '#api/common.ts';
import type { Client } from '../../client.ts';
import { command, type CommandSpec } from '../command.ts';
import type { Session } from '../session.ts';
import { loadInstance } from './instance-editing.ts';

/** Networks and volumes are attached by a device of the instance or profile. */
export interface AttachmentOptions {
  readonly path: string;
  /** positionals that name what is attached, and their number */
  readonly usage: string;
  readonly words: number;
  readonly noun: string;
  readonly sample: string;
  /** the positional after the device's name */
  readonly more: string;
  /** reads what was given after the holder: the device's name and the last positional */
  placed(object: string, given: readonly string[]): { readonly device: string; readonly more?: string | undefined };
  device(pool: string, object: string, more: string | undefined): DeviceMap;
  matches(device: DeviceMap, pool: string, object: string): boolean;
}

type Update = (devices: DevicesMap) => DevicesMap;

/** attach, attach-profile, detach and detach-profile. */
export function attachmentCommands(group: AttachmentOptions): readonly CommandSpec[] {
  return (['instance', 'profile'] as const).flatMap(holder => {
    const suffix = holder === 'profile' ? '-profile' : '';
    const sample = holder === 'profile' ? 'default' : 'c1';
    return [
      command({
        path: `${group.path} attach${suffix}`,
        usage: `${group.usage} <${holder}> [<device name>] ${group.more}`,
        summary: `Attach ${group.noun}s to ${holder}s`,
        examples: [[`${group.path} attach${suffix} ${group.sample} ${sample} dev0`, 'Attach it as the device "dev0".']],
        run: async (session, args) => {
          const { client, pool, object, rest } = await attached(session, group, args);
          const [name = '', ...given] = rest;
          const { device, more } = group.placed(object, given);
          await change(session, client, holder, name, devices => {
            if (devices[device]) throw new ApiError('already-exists', `Device "${device}" already exists`);
            return { ...devices, [device]: group.device(pool, object, more) };
          });
        },
      }),
      command({
        path: `${group.path} detach${suffix}`,
        usage: `${group.usage} <${holder}> [<device name>]`,
        summary: `Detach ${group.noun}s from ${holder}s`,
        examples: [[`${group.path} detach${suffix} ${group.sample} ${sample}`, 'Take its device away.']],
        run: async (session, args) => {
          const { client, pool, object, rest } = await attached(session, group, args);
          const [name = '', wanted] = rest;
          await change(session, client, holder, name, devices => {
            const found = Object.keys(devices).filter(
              device =>
                group.matches(devices[device] ?? {}, pool, object) && (wanted === undefined || device === wanted),
            );
            if (found.length > 1)
              throw new ApiError('invalid-argument', `Several devices match: name one of ${found.join(', ')}`);
            if (found.length === 0) throw new ApiError('not-found', `No device of "${name}" uses "${object}"`);
            return Object.fromEntries(Object.entries(devices).filter(([device]) => device !== found[0]));
          });
        },
      }),
    ];
  });
}

async function attached(
  session: Session,
  group: AttachmentOptions,
  args: readonly string[],
): Promise<{ client: Client; pool: string; object: string; rest: readonly string[] }> {
  const { client, name } = await session.object(args[0] ?? '', group.noun);
  const object = group.words === 1 ? name : (args[1] ?? '').replace(/^custom\//, '');
  return { client, pool: name, object, rest: args.slice(group.words) };
}

async function change(
  session: Session,
  client: Client,
  holder: 'instance' | 'profile',
  name: string,
  update: Update,
): Promise<void> {
  if (holder === 'instance') {
    const instance = await loadInstance(client, name);
    await session.finish(instance.save({ ...instance.put, devices: update(instance.put.devices) }));
    return;
  }
  const { value, etag } = await client.profiles.tagged(name);
  const { config, description, devices } = value;
  await session.finish(client.profiles.replace(name, { config, description, devices: update(devices) }, etag));
}
