import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { beforeAll } from 'vitest';
import { TestDaemon } from './daemon.ts';
import { type FixtureOptions, useDaemons } from './fixture.ts';
import { freePort } from './free-port.ts';

export interface Peers {
  readonly here: TestDaemon;
  /** known to the clients of `here` as the remote "there" */
  readonly there: TestDaemon;
}

/** Two daemons that a client of the first knows by name; each has pools "default" (btrfs) and "plain" (dir). */
export function usePeers(options: FixtureOptions = {}): Peers {
  const [here, there] = [new TestDaemon(), new TestDaemon()];
  useDaemons([
    [here, { storage: 'btrfs', ...options }],
    [there, { storage: 'btrfs', ...options, image: false }],
  ]);
  beforeAll(async () => {
    for (const daemon of [here, there]) {
      await daemon.must('config', 'set', 'core.https_address', `127.0.0.1:${String(await freePort())}`);
      await daemon.must('config', 'set', 'core.trust_password', 'sesame');
      await daemon.must('storage', 'create', 'plain', 'dir');
    }
    const address = (await there.must('config', 'get', 'core.https_address')).trim();
    await here.must('remote', 'add', 'there', address, '--accept-certificate', '--password', 'sesame');
  });
  return { here, there };
}

/** Absolute path of an instance's root file system in a pool. */
export function rootfsOf(daemon: TestDaemon, pool: string, name: string): string {
  return path.join(daemon.directory, 'storage-pools', pool, 'containers', name, 'rootfs');
}

export function snapshotRootfsOf(daemon: TestDaemon, pool: string, name: string, snapshot: string): string {
  return path.join(daemon.directory, 'storage-pools', pool, 'containers-snapshots', name, snapshot, 'rootfs');
}

/** What there is in a tree: names, types, owners, modes, times, links, extended attributes and a sum of the content. */
export function fingerprintOfTree(folder: string): string {
  const script =
    'find . -type d -printf "%P %y %m %U:%G\\n" -o -printf "%P %y %m %U:%G %n %l\\n" | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; getfattr -Rdm - . 2>/dev/null | sort';
  return execFileSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
}

/** Names in a pool's folders that stand for something half-made. */
export function litterIn(daemon: TestDaemon): readonly string[] {
  const script = 'find storage-pools -maxdepth 4 -name ".temporary-*" -not -path "*/rootfs/*"';
  return execFileSync('sh', ['-c', script], { cwd: daemon.directory, encoding: 'utf8' }).split('\n').filter(Boolean);
}
