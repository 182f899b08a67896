import { ApiError } from '#api/error.ts';
import type { ConfigMap, DevicesMap } from '#api/common.ts';
import type { Client } from '../../client.ts';
import { showYaml } from '../object-editing.ts';
import type { Session } from '../session.ts';

export interface SetupOptions {
  readonly auto: boolean;
  readonly dump: boolean;
  readonly preseed: boolean;
  readonly networkAddress: string | undefined;
  readonly networkPort: number;
  readonly storageBackend: string | undefined;
  readonly storageCreateDevice: string | undefined;
  readonly storageCreateLoop: number | undefined;
  readonly storagePool: string | undefined;
  readonly trustPassword: string | undefined;
}

/** Setup of a server, in the form of LXD's preseed. */
interface Setup {
  readonly config?: ConfigMap;
  readonly storage_pools?: readonly SetupObject[];
  readonly networks?: readonly SetupObject[];
  readonly profiles?: readonly SetupObject[];
}

interface SetupObject {
  readonly name: string;
  readonly description?: string;
  readonly driver?: string;
  readonly type?: string;
  readonly config?: ConfigMap;
  readonly devices?: DevicesMap;
}

const network = 'lxdlikebr0';

export async function setUpServer(session: Session, options: SetupOptions): Promise<number> {
  if ([options.auto, options.dump, options.preseed].filter(Boolean).length > 1) {
    throw new ApiError('invalid-argument', 'Use only one of "--auto", "--dump" and "--preseed"');
  }
  const client = await session.client('local');
  if (options.dump) await showYaml(session, await currentSetup(client));
  else if (options.preseed) {
    const { parseYamlObject } = await import('../output/yaml.ts');
    await apply(session, client, normalised(parseYamlObject(await session.input())));
  } else if (options.auto) await apply(session, client, await defaults(client, options));
  else await apply(session, client, await defaults(client, await ask(session, client, options)));
  return 0;
}

async function currentSetup(client: Client): Promise<Setup> {
  const [{ value }, pools, networks, profiles] = await Promise.all([
    client.server.get(),
    client.storagePools.list(),
    client.networks.list(),
    client.profiles.list(),
  ]);
  // the server shows "true" for a password; given back, that would become the password
  const { 'core.trust_password': _hidden, ...config } = value.config ?? {};
  return {
    config,
    networks: networks
      .filter(entry => entry.managed)
      .map(({ config, description, name, type }) => ({ config, description, name, type })),
    storage_pools: pools.map(({ config, description, name, driver }) => ({ config, description, name, driver })),
    profiles: profiles.map(({ config, description, devices, name }) => ({ config, description, devices, name })),
  };
}

/** A pool, a bridge and both in the default profile, as far as they are missing. */
async function defaults(client: Client, options: SetupOptions): Promise<Setup> {
  const [pool] = await client.storagePools.names();
  const managed = (await client.networks.list()).find(entry => entry.managed);
  const profile = await client.profiles.get('default');
  const poolName = pool ?? 'default';
  const driver = options.storageBackend ?? preferred(await supportedDrivers(client));
  const source = options.storageCreateDevice ?? options.storagePool;
  const address = options.networkAddress ?? '';
  const isIpv6 = address.includes(':') && !address.startsWith('[');
  return {
    config: {
      ...(address
        ? { 'core.https_address': `${isIpv6 ? `[${address}]` : address}:${String(options.networkPort)}` }
        : {}),
      ...(options.trustPassword === undefined ? {} : { 'core.trust_password': options.trustPassword }),
    },
    storage_pools: pool
      ? []
      : [
          {
            name: poolName,
            driver,
            config: {
              ...(source === undefined ? {} : { source }),
              ...(options.storageCreateLoop === undefined ? {} : { size: `${String(options.storageCreateLoop)}GiB` }),
            },
          },
        ],
    networks: managed ? [] : [{ name: network, type: 'bridge', config: {} }],
    profiles: [
      {
        name: 'default',
        devices: {
          root: { type: 'disk', path: '/', pool: poolName },
          eth0: { type: 'nic', name: 'eth0', network: managed?.name ?? network },
          ...profile.devices,
        },
      },
    ],
  };
}

async function supportedDrivers(client: Client): Promise<readonly string[]> {
  const { value } = await client.server.get();
  return value.environment?.storage_supported_drivers.map(driver => driver.Name).sort() ?? [];
}

function preferred(drivers: readonly string[]): string {
  return drivers.includes('btrfs') ? 'btrfs' : 'dir';
}

async function ask(session: Session, client: Client, options: SetupOptions): Promise<SetupOptions> {
  const pools = await client.storagePools.names();
  let { storageBackend, storageCreateDevice, storageCreateLoop, networkAddress, trustPassword } = options;
  if (pools.length === 0) {
    const known = await supportedDrivers(client);
    const suggested = storageBackend ?? preferred(known);
    storageBackend = await session.ask(`Storage driver (${known.join(', ')}) [default=${suggested}]: `, suggested);
    if (!known.includes(storageBackend))
      throw new ApiError('invalid-argument', `Unknown storage driver "${storageBackend}": use ${known.join(' or ')}`);
    if (storageBackend !== 'dir') {
      storageCreateDevice = (await session.ask('Empty disk for it (empty = a file) []: ')) || undefined;
      if (storageCreateDevice === undefined) {
        const size = Number(await session.ask('Size of the file in GiB [default=20]: ', '20'));
        if (!Number.isInteger(size) || size < 1) throw new ApiError('invalid-argument', 'Invalid size: use whole GiB');
        storageCreateLoop = size;
      }
    }
  }
  const remote = await session.ask('Should the server be available over the network? (yes/no) [default=no]: ', 'no');
  if (/^y(es)?$/i.test(remote)) {
    networkAddress = await session.ask('Address to listen on [default=all]: ', '[::]');
    const { askSecret } = await import('../output/questions.ts');
    trustPassword =
      (await askSecret(session.streams, 'Trust password for new clients (empty = none, use tokens): ')) || undefined;
  }
  return { ...options, storageBackend, storageCreateDevice, storageCreateLoop, networkAddress, trustPassword };
}

const setupKeys = ['config', 'storage_pools', 'networks', 'profiles'];

function normalised(given: Readonly<Record<string, unknown>>): Setup {
  const unknown = Object.keys(given).find(key => !setupKeys.includes(key));
  if (unknown !== undefined)
    throw new ApiError('invalid-argument', `Unknown key "${unknown}" in the preseed: use ${setupKeys.join(', ')}`);
  const objects = (key: string): readonly SetupObject[] => {
    const list = given[key];
    if (list === undefined || list === null) return [];
    if (!Array.isArray(list) || list.some(entry => typeof (entry as SetupObject | null)?.name !== 'string')) {
      throw new ApiError('invalid-argument', `Invalid "${key}": expected a list of objects with names`);
    }
    return (list as SetupObject[]).map(entry => ({ ...entry, config: texts(entry.config) }));
  };
  return {
    config: texts(given['config'] as ConfigMap | undefined),
    storage_pools: objects('storage_pools'),
    networks: objects('networks'),
    profiles: objects('profiles'),
  };
}

function texts(config: Readonly<Record<string, unknown>> | undefined): ConfigMap {
  return Object.fromEntries(
    Object.entries(config ?? {}).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

/** Creates what is missing and changes what is there. */
async function apply(session: Session, client: Client, setup: Setup): Promise<void> {
  if (Object.keys(setup.config ?? {}).length > 0) await client.server.patchConfig(setup.config ?? {});
  for (const { name, driver = 'dir', description = '', config = {} } of setup.storage_pools ?? []) {
    const existing = await client.storagePools.find(name);
    if (existing && existing.driver !== driver)
      throw new ApiError('already-exists', `Storage pool "${name}" already exists with driver "${existing.driver}"`);
    await session.finish(
      existing
        ? client.storagePools.replace(name, {
            description: description || existing.description,
            config: { ...existing.config, ...config },
          })
        : client.storagePools.create({ name, driver, description, config }),
      `Storage pool ${name}`,
    );
  }
  for (const { name, type = 'bridge', description = '', config = {} } of setup.networks ?? []) {
    const existing = await client.networks.find(name);
    await session.finish(
      existing?.managed
        ? client.networks.replace(name, {
            description: description || existing.description,
            config: { ...existing.config, ...config },
          })
        : client.networks.create({ name, type, description, config }),
      `Network ${name}`,
    );
  }
  for (const { name, description = '', config = {}, devices = {} } of setup.profiles ?? []) {
    const existing = await client.profiles.find(name);
    await (existing
      ? client.profiles.replace(name, {
          description: description || existing.description,
          config: { ...existing.config, ...config },
          devices: { ...existing.devices, ...devices },
        })
      : client.profiles.create({ name, description, config, devices }));
  }
}
