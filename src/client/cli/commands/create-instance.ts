import type { ConfigMap, DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { InstancesPost, InstanceSource } from '#api/instance.ts';
import type { Client } from '../../client.ts';
import { flag, list, planOption, targetOption, text } from '../command.ts';
import { deviceOverrides, parsePairs } from '../key-values.ts';
import { printPlan } from '../output/plan.ts';
import { imageRemote, isSameRemote } from '../image-remote.ts';
import type { Named, Session } from '../session.ts';
import { buildImage, isDistribution } from './image-build.ts';

/** Options of launch and init. */
export const creationOptions = {
  config: list('-c,--config', 'Config key/value to apply to the new instance'),
  device: list('-d,--device', 'New key/value to apply to a specific device'),
  empty: flag('--empty', 'Create an empty instance'),
  ephemeral: flag('-e,--ephemeral', 'Ephemeral instance'),
  network: text('-n,--network', 'Network name'),
  noBuild: flag('--no-build', 'Do not build an image that is missing'),
  noProfiles: flag('--no-profiles', 'Create the instance with no profiles applied'),
  profile: list('-p,--profile', 'Profile to apply to the new instance'),
  plan: planOption,
  storage: text('-s,--storage', 'Storage pool name'),
  target: targetOption,
  type: text('-t,--type', 'Instance type, such as c2-m4 for 2 CPUs and 4 GiB'),
} as const;

interface CreationOptions {
  readonly config: readonly string[];
  readonly device: readonly string[];
  readonly empty: boolean;
  readonly ephemeral: boolean;
  readonly network: string | undefined;
  readonly noBuild: boolean;
  readonly noProfiles: boolean;
  readonly profile: readonly string[];
  readonly plan: boolean;
  readonly storage: string | undefined;
  readonly type: string | undefined;
}

/** `init` and, with `start`, `launch`. */
export async function createInstance(
  session: Session,
  args: readonly string[],
  options: CreationOptions,
  start: boolean,
): Promise<number> {
  if (args.length === 0) throw new ApiError('invalid-argument', 'Name an image, such as debian/12, or use "--empty"');
  const [imageArgument, nameArgument] = options.empty ? [undefined, args[0]] : args;
  const image = imageArgument === undefined ? undefined : session.named(imageArgument);
  const { remote, name } = session.named(nameArgument ?? '');
  const client = await session.client(remote);
  const isElsewhere = image?.remote !== undefined && !(await isSameRemote(session, image.remote, remote));
  const source = isElsewhere
    ? await sourceElsewhere(session, image)
    : await sourceOf(session, client, image?.name, options);
  const request = await requestOf(session, client, name, source, options);
  if (options.plan) {
    await printPlan(session, client, 'POST', '/1.0/instances', {
      body: start ? { ...request, start } : request,
    });
    return 0;
  }
  if (!session.global.quiet) session.line(name ? `Creating ${name}` : 'Creating the instance');
  const operation = await session.finish(client.instances.create(start ? { ...request, start } : request), 'Creating');
  const created = name || nameFrom(operation?.resources?.['instances'] ?? operation?.resources?.['containers']);
  if (!name) session.line(`Instance name is: ${created}`);
  if (start) await ensureStarted(session, client, created);
  return 0;
}

/** Our server starts it within the same operation; others have to be asked. */
async function ensureStarted(session: Session, client: Client, name: string): Promise<void> {
  if (!session.global.quiet) session.line(`Starting ${name}`);
  if ((await client.instances.get(name)).status !== 'Stopped') return;
  await session.finish(client.instances.changeState(name, { action: 'start', timeout: -1 }), `Starting ${name}`);
}

/** The server fetches the image itself. */
async function sourceElsewhere(session: Session, { remote, name }: Named): Promise<InstanceSource> {
  const images = await imageRemote(session, remote);
  const [source] = await images.sources(await images.find(name), name);
  return { type: 'image', ...source };
}

async function sourceOf(
  session: Session,
  client: Client,
  reference: string | undefined,
  options: CreationOptions,
): Promise<InstanceSource> {
  if (reference === undefined) return { type: 'none' };
  try {
    return { type: 'image', fingerprint: await client.images.resolve(reference) };
  } catch (error) {
    if (!ApiError.is(error, 'not-found') || options.noBuild || !isDistribution(reference)) {
      if (!ApiError.is(error, 'not-found')) throw error;
      throw new ApiError(
        'not-found',
        `Image "${reference}" not found. See "lxd-like image list", or name a distribution such as debian/12`,
        { cause: error },
      );
    }
  }
  if (options.plan) {
    session.line(`build   image "${reference}"`);
    return { type: 'none' }; // the rest of the plan does not depend on the image, which is not there yet
  }
  session.note(`Image "${reference}" is not here yet: building it from the distribution's packages`);
  await buildImage(session, client, { reference, aliases: [reference] });
  return { type: 'image', fingerprint: await client.images.resolve(reference) };
}

async function requestOf(
  session: Session,
  client: Client,
  name: string,
  source: InstanceSource,
  options: CreationOptions,
): Promise<InstancesPost> {
  const fromInput = await session.inputObject();
  const profiles = options.noProfiles
    ? []
    : options.profile.length
      ? options.profile
      : (fromInput['profiles'] as string[] | undefined);
  const config = { ...(fromInput['config'] as ConfigMap | undefined), ...parsePairs(options.config) };
  const devices = await devicesOf(client, fromInput['devices'] as DevicesMap | undefined, profiles, options);
  return {
    name,
    source,
    instance_type: options.type ?? '',
    type: 'container',
    config,
    devices,
    ephemeral: options.ephemeral || fromInput['ephemeral'] === true,
    ...(typeof fromInput['description'] === 'string' ? { description: fromInput['description'] } : {}),
    profiles: profiles ?? null,
  };
}

async function devicesOf(
  client: Client,
  given: DevicesMap | undefined,
  profiles: readonly string[] | undefined,
  options: CreationOptions,
): Promise<DevicesMap> {
  const devices: Record<string, Record<string, string>> = {};
  for (const [name, device] of Object.entries(given ?? {})) devices[name] = { ...device };
  const overrides = deviceOverrides(options.device);
  if (overrides.size === 0 && options.network === undefined && options.storage === undefined) return devices;
  const inherited: Record<string, Readonly<Record<string, string>>> = {};
  for (const profile of profiles ?? ['default']) Object.assign(inherited, (await client.profiles.get(profile)).devices);

  if (options.storage !== undefined) {
    const all = { ...inherited, ...devices };
    const [name, root] = Object.entries(all).find(
      ([, device]) => device['type'] === 'disk' && device['path'] === '/',
    ) ?? ['root'];
    devices[name] = { type: 'disk', path: '/', ...root, pool: options.storage };
  }
  if (options.network !== undefined) {
    const network = await client.networks.get(options.network);
    devices['eth0'] = network.managed
      ? { type: 'nic', name: 'eth0', network: options.network }
      : {
          type: 'nic',
          name: 'eth0',
          nictype: network.type === 'bridge' ? 'bridged' : 'macvlan',
          parent: options.network,
        };
  }
  for (const [name, changes] of overrides) devices[name] = { ...(devices[name] ?? inherited[name]), ...changes };
  return devices;
}

function nameFrom(urls: readonly string[] | undefined): string {
  const [url = ''] = urls ?? [];
  return decodeURIComponent((url.split('?')[0] ?? '').split('/').pop() ?? '');
}
