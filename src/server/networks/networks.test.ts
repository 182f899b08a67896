import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KeyedLock } from '#base/keyed-lock.ts';
import { silentLog } from '#base/log.ts';
import type { Link } from '#native/addon/index.d.ts';
import { type MemoryHost, memoryHost, memoryType } from '#network/testing/memory-driver.ts';
import { globalMigrations } from '../database/migrations/global.ts';
import { findNetwork, getNetwork, insertNetwork, type NetworkRecord } from '../database/networks.ts';
import { SqliteDatabase } from '../database/sqlite.ts';
import type { EventBus } from '../events/event-bus.ts';
import { StatePaths } from '../paths.ts';
import type { Change } from './change.ts';
import { createNetwork, type NetworkServices } from './create-network.ts';
import { deleteNetwork, recoverNetworks } from './delete-network.ts';
import { renameNetwork } from './rename-network.ts';
import { showNetwork, showNetworks } from './show-network.ts';
import { StartedNetworks } from './started-networks.ts';
import { updateNetwork } from './update-network.ts';

const eth0: Link = {
  index: 2,
  name: 'eth0',
  flags: 1,
  mtu: 1500,
  hardwareAddress: '00:16:3e:00:00:02',
  kind: '',
  peerIndex: 0,
  masterIndex: 0,
  operationalState: 'up',
  counters: {
    bytesReceived: 0,
    bytesSent: 0,
    packetsReceived: 0,
    packetsSent: 0,
    errorsReceived: 0,
    errorsSent: 0,
    packetsDroppedInbound: 0,
    packetsDroppedOutbound: 0,
  },
  addresses: [{ family: 'inet', address: '192.0.2.2', prefixLength: 24, scope: 'global' }],
};

let folder: string;
let host: MemoryHost;
let services: NetworkServices;
let database: SqliteDatabase;
let networks: StartedNetworks;
let told: string[];

function startedNetworks(): StartedNetworks {
  const types = new Map([['bridge', memoryType(host)]]);
  const paths = new StatePaths(folder);
  return new StartedNetworks({ types, links: () => [eth0], paths, firewallTable: 't', log: silentLog });
}

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'networks-'));
  database = await SqliteDatabase.open({ file: path.join(folder, 'db', 'db.bin'), migrations: globalMigrations });
  host = memoryHost();
  networks = startedNetworks();
  told = [];
  const events: EventBus = {
    emit: (_type, metadata) => told.push((metadata as { readonly action: string }).action),
    subscribe: () => () => undefined,
  };
  services = {
    database,
    networks,
    networkControl: networks,
    locks: new KeyedLock(),
    events,
    paths: new StatePaths(folder),
    log: silentLog,
  };
});
afterEach(async () => {
  await networks.close();
  await database.close();
  await rm(folder, { recursive: true });
});

const replace: Change<NetworkRecord> = { mode: 'replace', assertUnchanged: () => undefined };
const merge: Change<NetworkRecord> = { ...replace, mode: 'merge' };

async function useNetwork(): Promise<void> {
  await database.write(async tx => {
    const instance = await tx.run(
      `INSERT INTO instances (project_id, name, architecture, creation_date, last_use_date, storage_pool)
       VALUES (1, 'c1', 'x86_64', '', '', 'default')`,
    );
    await tx.run('INSERT INTO instances_profiles (instance_id, profile_id, apply_order) VALUES (?, 1, 0)', [
      instance.lastId,
    ]);
    const device = await tx.run(`INSERT INTO profiles_devices (profile_id, name) VALUES (1, 'eth0')`);
    await tx.run(
      `INSERT INTO profiles_devices_config (profile_device_id, key, value) VALUES (?, 'type', 'nic'), (?, 'network', 'net1')`,
      [device.lastId, device.lastId],
    );
  });
}

describe('creating', () => {
  test('a network is up, complete and told', async () => {
    await createNetwork(services, { name: 'net1', description: 'First' });
    expect(await showNetwork(services, 'net1')).toEqual({
      name: 'net1',
      description: 'First',
      type: 'bridge',
      managed: true,
      status: 'Created',
      config: { 'ipv4.address': '10.200.0.1/24', 'ipv4.nat': 'true' },
      locations: ['none'],
      used_by: [],
    });
    expect([...host.started.keys()]).toEqual(['net1']);
    expect(told).toEqual(['network-created']);
  });

  test('networks made at once get different subnets', async () => {
    await Promise.all(['net1', 'net2', 'net3'].map(name => createNetwork(services, { name })));
    const subnets = [...host.started.values()].map(config => config['ipv4.address'] ?? '');
    expect(subnets.sort((a, b) => (a < b ? -1 : 1))).toEqual(['10.200.0.1/24', '10.200.1.1/24', '10.200.2.1/24']);
  });

  test.each([
    [{ name: 'net1' }, 'already-exists', /"net1" already exists/],
    [{ name: 'eth0' }, 'already-exists', /"eth0".*host/],
    [{ name: 'a/b' }, 'invalid-argument', /"name"/],
    [{ name: 'net2', type: 'ovn' }, 'invalid-argument', /"type"/],
    [{ name: 'net2', config: { 'no.such': 'x' } }, 'invalid-argument', /"config.no.such"/],
    [{ name: 'net2', description: 'a\nb' }, 'invalid-argument', /"description"/],
    [{ name: 'net2', config: { 'ipv4.address': '10.200.0.9/16' } }, 'invalid-argument', /network "net1"/],
    [{ name: 'net2', config: { 'ipv4.address': '192.0.2.9/24' } }, 'invalid-argument', /host interface "eth0"/],
  ])('%j is refused', async (request, code, message) => {
    await createNetwork(services, { name: 'net1' });
    await expect(createNetwork(services, request)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect((await showNetworks(services)).map(({ name }) => name)).toEqual(['eth0', 'net1']);
  });

  test('a network that does not start leaves nothing', async () => {
    host.broken.add('net1');
    await expect(createNetwork(services, { name: 'net1' })).rejects.toThrow(/broken/);
    expect(await database.read(reader => findNetwork(reader, 'net1'))).toBeUndefined();
    expect(networks.find('net1')).toBeUndefined();
    host.broken.clear();
    await createNetwork(services, { name: 'net1' });
  });
});

describe('changing', () => {
  beforeEach(() => createNetwork(services, { name: 'net1', config: { 'user.a': '1' } }));

  test('PATCH keeps other keys and PUT drops them, except what the daemon keeps', async () => {
    await updateNetwork(services, 'net1', { config: { 'dns.domain': 'lab' } }, merge);
    expect((await showNetwork(services, 'net1')).config).toMatchObject({ 'user.a': '1', 'dns.domain': 'lab' });
    expect(host.started.get('net1')).toMatchObject({ 'dns.domain': 'lab' });
    await updateNetwork(services, 'net1', { config: { 'ipv4.address': '10.9.0.1/24' } }, replace);
    expect((await showNetwork(services, 'net1')).config).toEqual({ 'ipv4.address': '10.9.0.1/24' });
  });

  test('a change that was made on an older state does nothing', async () => {
    const assertUnchanged = (): void => {
      throw new Error('changed');
    };
    await expect(updateNetwork(services, 'net1', {}, { mode: 'replace', assertUnchanged })).rejects.toThrow('changed');
    expect(host.started.get('net1')).toMatchObject({ 'user.a': '1' });
  });

  test('a change that does not start is taken back', async () => {
    host.broken.add('net1');
    await expect(updateNetwork(services, 'net1', { config: { 'dns.domain': 'lab' } }, merge)).rejects.toThrow(/broken/);
    expect((await showNetwork(services, 'net1')).config).not.toHaveProperty('dns.domain');
  });
});

describe('deleting and renaming', () => {
  beforeEach(() => createNetwork(services, { name: 'net1' }));

  test('a deleted network is gone with its folder', async () => {
    await mkdir(services.paths.network('net1'), { recursive: true });
    await writeFile(path.join(services.paths.network('net1'), 'dnsmasq.leases'), '');
    await deleteNetwork(services, 'net1');
    expect(host.started.size).toBe(0);
    expect(await readdir(path.join(folder, 'networks'))).toEqual([]);
    await expect(deleteNetwork(services, 'net1')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a network in use is refused, naming its users', async () => {
    await useNetwork();
    const users = ['/1.0/instances/c1', '/1.0/profiles/default'];
    expect((await showNetwork(services, 'net1')).used_by).toEqual(users);
    await expect(deleteNetwork(services, 'net1')).rejects.toThrow('/1.0/instances/c1, /1.0/profiles/default');
    await expect(renameNetwork(services, 'net1', 'net2')).rejects.toMatchObject({ code: 'failed-precondition' });
    expect(host.started.size).toBe(1);
  });

  test('a renamed network is up under its new name', async () => {
    await renameNetwork(services, 'net1', 'net2');
    expect([...host.started.keys()]).toEqual(['net2']);
    expect((await showNetwork(services, 'net2')).config).toMatchObject({ 'ipv4.address': '10.200.0.1/24' });
    expect(told).toEqual(['network-created', 'network-renamed']);
  });

  test('a rename that fails leaves the network as it was', async () => {
    host.broken.add('net2');
    await expect(renameNetwork(services, 'net1', 'net2')).rejects.toThrow(/broken/);
    expect([...host.started.keys()]).toEqual(['net1']);
    expect(networks.find('net1')).toBeDefined();
    expect(networks.find('net2')).toBeUndefined();
  });
});

describe('the daemon starts', () => {
  test('networks that were not finished are removed', async () => {
    await database.write(tx => insertNetwork(tx, { name: 'half', type: 'bridge', description: '', config: {} }));
    host.started.set('half', {});
    await expect(database.read(reader => getNetwork(reader, 'half'))).rejects.toMatchObject({ code: 'not-found' });
    await recoverNetworks(services);
    expect(host.started.size).toBe(0);
    expect(await database.read(reader => findNetwork(reader, 'half'))).toBeUndefined();
  });

  test('a network that fails leaves the others and says why', async () => {
    for (const name of ['net1', 'net2']) await createNetwork(services, { name });
    host.broken.add('net1');
    networks = startedNetworks();
    await networks.start(database);
    expect(networks.find('net2')).toBeDefined();
    expect(() => networks.get('net1')).toThrow(/could not be started: Network "net1" is broken/);
    expect(() => networks.get('net3')).toThrow(/not found/);
    const shown = await showNetwork({ ...services, networks, networkControl: networks }, 'net1');
    expect(shown.status).toBe('Unavailable');
  });

  test('what is deleted by hand is put back', async () => {
    await createNetwork(services, { name: 'net1' });
    host.started.clear();
    await networks.heal();
    expect([...host.started.keys()]).toEqual(['net1']);
  });
});
