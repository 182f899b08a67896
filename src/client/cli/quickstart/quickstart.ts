import { ApiError } from '#api/error.ts';
import type { InstanceState } from '#api/instance.ts';
import { poll } from '#base/retry.ts';
import type { Client } from '#client/client.ts';
import type { OperationHandle } from '#client/operation-handle.ts';
import { ensureDaemon } from './service.ts';
import type { Steps } from './steps.ts';

export interface QuickstartOptions {
  readonly stateDirectory: string;
  readonly storage: string;
  /** an empty disk for the pool, instead of a loop file */
  readonly disk: string | undefined;
  /** size of the loop file */
  readonly size: string | undefined;
  /** what to build and launch, such as "debian/12" */
  readonly image: string;
  readonly name: string;
  readonly container: boolean;
}

export const firstNetwork = 'lxdlikebr0';
const firstPool = 'default';

/** From an installed program to a running container; each step leaves alone what is there already. */
export async function quickstart(client: Client, steps: Steps, options: QuickstartOptions): Promise<void> {
  await steps.run('Starting the daemon', () => ensureDaemon(options.stateDirectory, () => answers(client)));
  await steps.run('Making a storage pool', () => ensurePool(client, options));
  await steps.run('Making a network', () => ensureNetwork(client));
  await steps.run('Preparing the default profile', () => ensureProfile(client));
  if (!options.container) return;
  await steps.run(`Building the image ${options.image}`, progress => ensureImage(client, options.image, progress));
  await steps.run(`Launching the container ${options.name}`, () => ensureRunning(client, options));
  await steps.run('Waiting for its systemd', () => waitForSystemd(client, options.name));
  await steps.run('Waiting for its address', () => waitForAddress(client, options.name));
}

async function answers(client: Client): Promise<boolean> {
  try {
    await client.transport.call('GET', '/internal/ready');
    return true;
  } catch {
    return false;
  }
}

async function ensurePool(client: Client, options: QuickstartOptions): Promise<string> {
  const [existing] = await client.storagePools.list();
  if (existing) return `"${existing.name}" is there already`;
  const config = {
    ...(options.disk !== undefined && { source: options.disk }),
    ...(options.size !== undefined && { size: options.size }),
  };
  await finished(client.storagePools.create({ name: firstPool, driver: options.storage, config }));
  const pool = await client.storagePools.get(firstPool);
  const place = options.disk ?? pool.config['source'] ?? '';
  return `"${firstPool}", ${options.storage}${pool.config['size'] ? ` of ${pool.config['size']}` : ''} in ${place}`;
}

async function ensureNetwork(client: Client): Promise<string> {
  const existing = (await client.networks.list()).find(network => network.managed);
  if (existing) return `"${existing.name}" is there already`;
  await finished(client.networks.create({ name: firstNetwork, type: 'bridge' }));
  const { config } = await client.networks.get(firstNetwork);
  return `"${firstNetwork}" with ${config['ipv4.address'] ?? 'no IPv4'} and ${config['ipv6.address'] ?? 'no IPv6'}`;
}

async function ensureProfile(client: Client): Promise<string> {
  const { value: profile, etag } = await client.profiles.tagged('default');
  const [pool] = await client.storagePools.names();
  const network = (await client.networks.list()).find(entry => entry.managed);
  const devices = {
    ...(pool !== undefined && { root: { type: 'disk', path: '/', pool } }),
    ...(network && { eth0: { type: 'nic', name: 'eth0', network: network.name } }),
    ...profile.devices,
  };
  if (Object.keys(devices).length === Object.keys(profile.devices).length) return 'it is complete';
  await finished(client.profiles.replace('default', { ...profile, devices }, etag));
  return `root on "${pool ?? ''}", eth0 on "${network?.name ?? ''}"`;
}

async function ensureImage(client: Client, image: string, progress: (text: string) => void): Promise<string> {
  if (await client.images.aliases.find(image)) return 'it is there already';
  const body = { source: { type: 'build', alias: image }, aliases: [{ name: image, description: '' }] };
  const handle = await client.images.create(body);
  await handle?.wait({ onUpdate: operation => progress(textOf(operation.metadata)) });
  const { size } = await client.images.get(await client.images.resolve(image));
  return `${(size / 2 ** 20).toFixed(0)} MiB`;
}

function textOf(metadata: Readonly<Record<string, unknown>> | null): string {
  return Object.values(metadata ?? {}).find(value => typeof value === 'string') ?? '';
}

async function ensureRunning(client: Client, { name, image }: QuickstartOptions): Promise<string | undefined> {
  const existing = await client.instances.find(name);
  if (existing?.status === 'Running') return 'it runs already';
  if (!existing) await finished(client.instances.create({ name, source: { type: 'image', alias: image } }));
  await finished(client.instances.changeState(name, { action: existing?.status === 'Frozen' ? 'unfreeze' : 'start' }));
  return undefined;
}

async function waitForSystemd(client: Client, name: string): Promise<string> {
  const state = await poll(() => systemdState(client, name), { timeoutMs: 120_000, intervalMs: 200 });
  if (state === 'running') return state;
  throw new ApiError(
    'failed-precondition',
    `Systemd in "${name}" is ${state ?? 'not up after two minutes'}: see why with "lxd-like exec ${name} -- systemctl --failed"`,
  );
}

/** "running", "degraded" and so on; undefined while it is still starting. */
async function systemdState(client: Client, name: string): Promise<string | undefined> {
  const states = { 0: 'running', 1: 'degraded' } as Readonly<Record<number, string>>;
  const command = [
    'sh',
    '-c',
    'case $(systemctl is-system-running 2>/dev/null) in running) ;; degraded) exit 1 ;; *) exit 2 ;; esac',
  ];
  const handle = await client.instances.exec(name, { command, 'wait-for-websocket': false });
  return states[Number((await handle.wait()).metadata?.['return'])];
}

async function waitForAddress(client: Client, name: string): Promise<string> {
  const address = await poll(async () => ipv4Of(await client.instances.state(name)), {
    timeoutMs: 60_000,
    intervalMs: 200,
  });
  if (address !== undefined) return address;
  throw new ApiError(
    'failed-precondition',
    `"${name}" got no address within a minute: see "lxd-like network list-leases ${firstNetwork}"`,
  );
}

function ipv4Of(state: InstanceState): string | undefined {
  return state.network?.['eth0']?.addresses.find(({ family, scope }) => family === 'inet' && scope === 'global')
    ?.address;
}

async function finished(change: Promise<OperationHandle | undefined>): Promise<void> {
  await (await change)?.wait();
}
