import { ApiError } from '#api/error.ts';
import type { DeviceMap, DevicesMap } from '#api/common.ts';
import type { OperationHandle } from '../operation-handle.ts';
import { command, type CommandSpec } from './command.ts';
import { parsePairs, parseSettings } from './key-values.ts';
import { showYaml } from './object-editing.ts';
import type { Session } from './session.ts';

/** Devices of an instance or a profile, loaded for a change. */
export interface DeviceHolder {
  readonly devices: DevicesMap;
  /** what it inherits from profiles; empty for a profile */
  readonly inherited: DevicesMap;
  save(devices: DevicesMap): Promise<OperationHandle | undefined>;
}

export type LoadDevices = (session: Session, target: string) => Promise<DeviceHolder>;

/** `config device …` and `profile device …`. */
export function deviceCommands(group: string, noun: 'instance' | 'profile', load: LoadDevices): readonly CommandSpec[] {
  const change: ChangeDevices = async (session, target, update) => {
    const holder = await load(session, target);
    await session.finish(holder.save(update(holder.devices, holder)));
  };
  const words: Words = {
    path: `${group} device`,
    noun,
    usage: `[<remote>:]<${noun}>`,
    sample: noun === 'instance' ? 'c1' : 'default',
  };
  return [
    ...membershipCommands(words, change),
    ...keyCommands(words, load, change),
    ...(noun === 'instance' ? [overrideCommand(words.path, change)] : []),
  ];
}

type ChangeDevices = (
  session: Session,
  target: string,
  update: (devices: DevicesMap, holder: DeviceHolder) => DevicesMap,
) => Promise<void>;

interface Words {
  readonly path: string;
  readonly noun: string;
  readonly usage: string;
  /** name of an object for the examples */
  readonly sample: string;
}

function keyCommands(
  { path, noun, usage, sample }: Words,
  load: LoadDevices,
  change: ChangeDevices,
): readonly CommandSpec[] {
  return [
    command({
      path: `${path} get`,
      usage: `${usage} <device> <key>`,
      summary: 'Get values for device configuration keys',
      examples: [[`${path} get ${sample} root pool`, 'Print the pool of the root disk.']],
      run: async (session, [target = '', name = '', key = '']) => {
        session.line(deviceOf((await load(session, target)).devices, name)[key] ?? '');
      },
    }),
    command({
      path: `${path} list`,
      aliases: ['ls'],
      usage,
      summary: `List ${noun} devices`,
      examples: [[`${path} list ${sample}`, 'Print the names of the devices.']],
      run: async (session, [target = '']) => {
        for (const name of Object.keys((await load(session, target)).devices).sort()) session.line(name);
      },
    }),
    command({
      path: `${path} set`,
      usage: `${usage} <device> <key>=<value>...`,
      summary: 'Set device configuration keys',
      examples: [[`${path} set ${sample} root size=10GiB`, 'Limit the root disk.']],
      run: (session, [target = '', name = '', ...settings]) =>
        change(session, target, devices => ({
          ...devices,
          [name]: { ...deviceOf(devices, name), ...parseSettings(settings) },
        })),
    }),
    command({
      path: `${path} show`,
      usage,
      summary: 'Show full device configuration',
      examples: [[`${path} show ${sample}`, 'Print the devices as YAML.']],
      run: async (session, [target = '']) => showYaml(session, (await load(session, target)).devices),
    }),
    command({
      path: `${path} unset`,
      usage: `${usage} <device> <key>`,
      summary: 'Unset device configuration keys',
      examples: [[`${path} unset ${sample} root size`, 'Lift the limit of the root disk.']],
      run: (session, [target = '', name = '', key = '']) =>
        change(session, target, devices => {
          const { [key]: _gone, ...left } = deviceOf(devices, name);
          return { ...devices, [name]: left };
        }),
    }),
  ];
}

function membershipCommands({ path, noun, usage, sample }: Words, change: ChangeDevices): readonly CommandSpec[] {
  return [
    command({
      path: `${path} add`,
      usage: `${usage} <device> <type> [key=value...]`,
      summary: `Add ${noun} devices`,
      examples: [
        [`${path} add ${sample} share disk source=/srv/share path=/mnt`, "Show the host's /srv/share at /mnt."],
        [`${path} add ${sample} web proxy listen=tcp:0.0.0.0:80 connect=tcp:127.0.0.1:80`, 'Pass on a port.'],
      ],
      run: async (session, [target = '', name = '', type = '', ...pairs]) => {
        await change(session, target, devices => {
          if (devices[name]) throw new ApiError('already-exists', `Device "${name}" already exists`);
          return { ...devices, [name]: { type, ...parsePairs(pairs) } };
        });
        session.note(`Device ${name} added to ${session.named(target).name}`);
      },
    }),
    command({
      path: `${path} remove`,
      aliases: ['rm'],
      usage: `${usage} <name>...`,
      summary: `Remove ${noun} devices`,
      examples: [[`${path} remove ${sample} share`, 'Take the device out.']],
      run: async (session, [target = '', ...names]) => {
        await change(session, target, devices => {
          for (const name of names) deviceOf(devices, name);
          return Object.fromEntries(Object.entries(devices).filter(([name]) => !names.includes(name)));
        });
        session.note(`Device ${names.join(', ')} removed from ${session.named(target).name}`);
      },
    }),
  ];
}

function overrideCommand(path: string, change: ChangeDevices): CommandSpec {
  return command({
    path: `${path} override`,
    usage: '[<remote>:]<instance> <device> [key=value...]',
    summary: 'Copy profile inherited devices and override configuration keys',
    examples: [[`${path} override c1 root size=10GiB`, 'Give "c1" a root disk of its own size.']],
    run: async (session, [target = '', name = '', ...pairs]) => {
      await change(session, target, (devices, { inherited }) => {
        if (devices[name]) throw new ApiError('already-exists', `Device "${name}" is already the instance's own`);
        return { ...devices, [name]: { ...deviceOf(inherited, name), ...parsePairs(pairs) } };
      });
      session.note(`Device ${name} overridden for ${session.named(target).name}`);
    },
  });
}

function deviceOf(devices: DevicesMap, name: string): DeviceMap {
  const device = devices[name];
  if (!device) throw new ApiError('not-found', `Device "${name}" not found`);
  return device;
}
