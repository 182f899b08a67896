import { readFile } from 'node:fs/promises';
import { hostname, release, version } from 'node:os';
import type { ServerEnvironment } from '#api/server.ts';
import { parseOsRelease } from '#base/os-release.ts';
import { usableDrivers } from '#storage/drivers.ts';
import { type LxcLibrary, lxcLibrary } from '../runtime/lxc-library.ts';
import type { Services } from '../services.ts';
import { kernelFeatures } from './kernel-features.ts';

/** The release of LXD whose API is spoken; clients compare it. */
const compatibleVersion = '5.0.2';

const architectures: Readonly<Record<string, readonly string[]>> = {
  x64: ['x86_64', 'i686'],
  arm64: ['aarch64', 'armv7l'],
};

interface HostFacts {
  readonly osName: string;
  readonly osVersion: string;
  readonly library: LxcLibrary;
  /** storage drivers and their versions */
  readonly storage: Awaited<ReturnType<typeof usableDrivers>>;
  readonly kernelFeatures: Readonly<Record<string, string>>;
}

let facts: Promise<HostFacts> | undefined;

/** `environment` of GET /1.0. What cannot change while the daemon runs is looked up once. */
export async function serverEnvironment(services: Services, project: string): Promise<ServerEnvironment> {
  facts ??= hostFacts();
  const host = await facts;
  const supported = architectures[process.arch] ?? [process.arch];
  const drivers = [...new Set(services.pools.list().map(pool => pool.driver.name))];
  const versions = new Map(host.storage.map(({ name, version }) => [name, version]));
  return {
    addresses: services.control.addresses,
    architectures: supported,
    checkpoints: await services.runtime.checkpoints.support(),
    certificate: services.identity.certificate,
    certificate_fingerprint: services.identity.fingerprint,
    driver: 'lxc',
    driver_version: host.library.version,
    firewall: 'nftables',
    kernel: 'Linux',
    kernel_architecture: supported[0] ?? process.arch,
    kernel_features: host.kernelFeatures,
    kernel_version: release(),
    lxc_features: Object.fromEntries(Object.entries(host.library.features).map(([name, has]) => [name, String(has)])),
    os_name: host.osName,
    os_version: host.osVersion,
    project,
    server: 'lxd',
    server_clustered: false,
    server_event_mode: 'full-mesh',
    server_name: hostname(),
    server_pid: process.pid,
    server_version: compatibleVersion,
    storage: drivers.join(' | '),
    storage_version: drivers.map(driver => versions.get(driver) ?? '').join(' | '),
    storage_supported_drivers: host.storage.map(({ name, version }) => ({
      Name: name,
      Version: version,
      Remote: false,
    })),
  };
}

async function hostFacts(): Promise<HostFacts> {
  const [osRelease, seccompActions, fileSystems, library, storage] = await Promise.all([
    textOf('/etc/os-release'),
    textOf('/proc/sys/kernel/seccomp/actions_avail'),
    textOf('/proc/filesystems'),
    lxcLibrary(),
    usableDrivers(),
  ]);
  const os = parseOsRelease(osRelease);
  return {
    osName: os.get('NAME') || version(),
    osVersion: os.get('VERSION_ID') ?? '',
    library,
    storage,
    kernelFeatures: kernelFeatures({ release: release(), seccompActions, fileSystems }),
  };
}

async function textOf(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '');
}
