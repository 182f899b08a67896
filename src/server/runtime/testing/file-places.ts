import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { silentLog } from '#base/log.ts';
import { FileServers, type FilesPlace } from '../file-servers.ts';
import { createTinyRootfs, startTinyContainer, testIdmap, type TinyContainer } from './tiny-container.ts';

/** Names of the places that useFilePlaces() makes. */
export const placeNames = ['running', 'stopped, on ext4', 'stopped, on btrfs'];

export interface FilePlaces {
  readonly servers: FileServers;
  /** by name; there when the tests run */
  readonly places: ReadonlyMap<string, FilesPlace>;
  readonly container: TinyContainer;
}

/** Instances with traps in their files, for one file of tests. */
export function useFilePlaces(): FilePlaces {
  const folder = mkdtempSync('/var/tmp/file-server-');
  const pool = path.join(folder, 'pool');
  const servers = new FileServers(silentLog, { idleMs: 50 });
  const places = new Map<string, FilesPlace>();
  let container: TinyContainer | undefined;

  beforeAll(() => {
    const image = path.join(folder, 'image');
    container = startTinyContainer();
    execFileSync('truncate', ['-s', '200M', image]);
    execFileSync('mkfs.btrfs', ['-q', image]);
    mkdirSync(pool);
    execFileSync('mount', ['-o', 'loop', image, pool]);
    const { id, rootfs, target, secret } = container;
    places.set('running', { id, rootfs, idmap: testIdmap, running: target });
    for (const kind of ['ext4', 'btrfs']) {
      const rootfs = path.join(kind === 'btrfs' ? pool : folder, `rootfs-${kind}`);
      createTinyRootfs(rootfs);
      places.set(`stopped, on ${kind}`, { id: kind, rootfs, idmap: testIdmap, running: undefined });
    }
    for (const place of places.values()) plantTraps(place.rootfs, secret);
  });

  afterAll(async () => {
    await servers.close();
    container?.[Symbol.dispose]();
    execFileSync('umount', [pool]);
    rmSync(folder, { recursive: true });
  });

  return {
    servers,
    places,
    get container() {
      if (!container) throw new Error('The container is not there before the tests run');
      return container;
    },
  };
}

/** What a hostile guest would put in its own tree. */
function plantTraps(rootfs: string, secret: string): void {
  const traps = path.join(rootfs, 'traps');
  mkdirSync(traps);
  symlinkSync(secret, path.join(traps, 'absolute'));
  symlinkSync(`../../../../../../../../..${secret}`, path.join(traps, 'upwards'));
  symlinkSync('/proc/1/root', path.join(traps, 'magic'));
  symlinkSync('loop', path.join(traps, 'loop'));
  execFileSync('mkfifo', [path.join(traps, 'fifo')]);
  execFileSync('mknod', [path.join(traps, 'null'), 'c', '1', '3']);
  execFileSync('mknod', [path.join(traps, 'disk'), 'b', '7', '0']);
}
