import path from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { makeBusyboxImage } from './busybox-image.ts';
import { TestDaemon } from './daemon.ts';
import { type HostState, hostState, leftovers } from './host.ts';
import { settled } from './settled.ts';

export { settled };

export const storageDrivers = ['btrfs', 'dir'] as const;
export type StorageName = (typeof storageDrivers)[number] | 'zfs';

/** Driver of all pools that tests make where the kernel of the host has only that, as in the test virtual machine. */
const onlyStorage = process.env['LXD_LIKE_TEST_STORAGE'] as StorageName | undefined;

export interface FixtureOptions {
  readonly storage?: StorageName;
  /** a managed bridge, and eth0 on it in the default profile */
  readonly network?: boolean;
  /** the busybox image, as alias "tiny" */
  readonly image?: boolean;
  /** variables of the daemon's environment */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * A daemon for one file of tests, with what they ask for, gone afterwards. The host must then have the mounts, links,
 * rules, loop devices, processes and cgroups it had before.
 */
export function useDaemon(options: FixtureOptions = {}): TestDaemon {
  const daemon = new TestDaemon(options.environment);
  useDaemons([[daemon, options]]);
  return daemon;
}

/** The same for several daemons. */
export function useDaemons(daemons: readonly (readonly [TestDaemon, FixtureOptions])[]): void {
  let before: HostState;
  beforeAll(async () => {
    before = hostState();
    for (const [daemon, options] of daemons) {
      await daemon.start();
      await prepare(daemon, options);
    }
  });
  afterAll(async () => {
    for (const [daemon] of daemons) await daemon.destroy();
    await settled(() => leftovers(before, hostState()).length === 0);
    expect(leftovers(before, hostState())).toEqual([]);
  });
}

/** Name of the zpool of a daemon's pool "default"; zpools are the host's. */
export function zpoolOf(daemon: TestDaemon): string {
  return path.basename(daemon.directory);
}

async function prepare(daemon: TestDaemon, options: FixtureOptions): Promise<void> {
  const storage = options.storage && (onlyStorage ?? options.storage);
  if (storage) {
    const size = storage === 'dir' ? [] : ['size=5GiB'];
    const name = storage === 'zfs' ? [`zfs.pool_name=${zpoolOf(daemon)}`] : [];
    await daemon.must('storage', 'create', 'default', storage, ...size, ...name);
    await daemon.must('profile', 'device', 'add', 'default', 'root', 'disk', 'path=/', 'pool=default');
  }
  if (options.network) {
    await daemon.must('network', 'create', daemon.bridge);
    await daemon.must('profile', 'device', 'add', 'default', 'eth0', 'nic', `network=${daemon.bridge}`, 'name=eth0');
  }
  if (options.image ?? options.storage !== undefined) {
    const image = makeBusyboxImage();
    try {
      await daemon.must('image', 'import', image.file, '--alias', 'tiny');
    } finally {
      image.remove();
    }
  }
}
