import { readFile } from 'node:fs/promises';
import { hostname, release, version } from 'node:os';
import type { ServerEnvironment } from '#api/server.ts';
import { runCommand } from '#base/run-command.ts';
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
  readonly btrfsVersion: string;
  readonly kernelFeatures: Readonly<Record<string, string>>;
}

let facts: Promise<HostFacts> | undefined;

/** `environment` of GET /1.0. What cannot change while the daemon runs is looked up once. */
export async function serverEnvironment(services: Services, project: string): Promise<ServerEnvironment> {
  facts ??= hostFacts();
  const host = await facts;
  const supported = architectures[process.arch] ?? [process.arch];
  const drivers = [...new Set(services.pools.list().map(pool => pool.driver.name))];
  const versions: Readonly<Record<string, string>> = { dir: '1', btrfs: host.btrfsVersion };
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
    storage_version: drivers.map(driver => versions[driver] ?? '').join(' | '),
    storage_supported_drivers: [
      { Name: 'dir', Version: '1', Remote: false },
      ...(host.btrfsVersion === '' ? [] : [{ Name: 'btrfs', Version: host.btrfsVersion, Remote: false }]),
    ],
  };
}

async function hostFacts(): Promise<HostFacts> {
  const [osRelease, seccompActions, fileSystems, library, btrfs] = await Promise.all([
    textOf('/etc/os-release'),
    textOf('/proc/sys/kernel/seccomp/actions_avail'),
    textOf('/proc/filesystems'),
    lxcLibrary(),
    runCommand('btrfs', ['--version']).then(
      ({ stdout }) => /v?(\d[\w.]*)/.exec(stdout)?.[1] ?? '',
      () => '',
    ),
  ]);
  const field = (name: string): string => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? '';
  return {
    osName: field('NAME') || version(),
    osVersion: field('VERSION_ID'),
    library,
    btrfsVersion: btrfs,
    kernelFeatures: kernelFeatures({ release: release(), seccompActions, fileSystems }),
  };
}

async function textOf(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '');
}
