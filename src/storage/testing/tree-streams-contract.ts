import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StorageDriver, Volume } from '../driver.ts';
import {
  type StreamTree,
  type TreeReceiver,
  type TreeSender,
  type TreeStreams,
  hasTreeStreams,
} from '../tree-streams.ts';
import type { ScratchPool } from './scratch-pool.ts';

const web: Volume = { kind: 'container', name: 'web' };

/** Sends one tree to a receiver and returns the bytes that it took. */
export async function transfer(
  sender: TreeSender,
  receiver: TreeReceiver,
  tree: StreamTree,
  before: readonly StreamTree[] = [],
): Promise<number> {
  const pipe = new PassThrough();
  let bytes = 0;
  pipe.on('data', (chunk: Buffer) => (bytes += chunk.length));
  const received = receiver.receive(tree, undefined, pipe);
  const output = async (chunk: Buffer): Promise<void> => void pipe.write(Buffer.from(chunk));
  await Promise.all([received, sender.send(tree, before, output, { compressed: true }).then(() => pipe.end())]);
  return bytes;
}

/** Sends a volume and snapshots of it, each tree on top of those before. */
export async function moveVolume(
  from: StorageDriver & TreeStreams,
  to: StorageDriver & TreeStreams,
  volume: Volume,
  snapshots: readonly string[],
): Promise<void> {
  await using sender = await from.openSender(volume, snapshots);
  await using receiver = await to.openReceiver(() => Promise.resolve());
  for (const [index, tree] of sender.trees.entries())
    await transfer(sender, receiver, tree, sender.trees.slice(0, index));
  await receiver.place(volume, snapshots);
}

/** The driver of a pool, with its streams. */
export function streamsOf({ driver }: ScratchPool): StorageDriver & TreeStreams {
  if (!hasTreeStreams(driver)) throw new Error(`Driver ${driver.name} has no streams`);
  return driver;
}

/** What drivers whose volumes can be moved as streams promise. */
export function describeTreeStreams(name: string, setUp: () => Promise<ScratchPool>): void {
  describe(`streams of whole volumes of ${name}`, () => {
    let pools: readonly [ScratchPool, ScratchPool];
    let from: StorageDriver & TreeStreams;
    let to: StorageDriver & TreeStreams;

    beforeEach(async () => {
      pools = [await setUp(), await setUp()];
      [from, to] = [streamsOf(pools[0]), streamsOf(pools[1])];
      await from.createVolume(web);
      await to.createVolume(web);
    });
    afterEach(async () => {
      for (const pool of pools) await pool.dispose();
    });

    async function write(driver: StorageDriver, name: string, text: string): Promise<void> {
      await writeFile(path.join(await driver.mountVolume(web), name), text);
    }

    async function read(driver: StorageDriver, snapshot: string, name: string): Promise<string | undefined> {
      const folder =
        snapshot === '' ? await driver.mountVolume(web) : await driver.mountSnapshot({ volume: web, name: snapshot });
      return await readFile(path.join(folder, name), 'utf8').catch(() => undefined);
    }

    const moveAll = (snapshots: readonly string[]): Promise<void> => moveVolume(from, to, web, snapshots);

    test('carry a volume and its snapshots', async () => {
      await write(from, 'state', 'one');
      await from.createSnapshot({ volume: web, name: 's0' });
      await write(from, 'state', 'two');
      await moveAll(['s0']);
      expect([await read(to, '', 'state'), await read(to, 's0', 'state')]).toEqual(['two', 'one']);
      expect(await to.listSnapshots(web)).toEqual(['s0']);
      await write(to, 'state', 'changed');
      await to.settle();
      expect([await read(to, '', 'state'), await read(to, 's0', 'state')]).toEqual(['changed', 'one']);
    });

    test('a snapshot that is there already is built on, and not sent again', async () => {
      await write(from, 'big', 'x'.repeat(4 * 2 ** 20));
      await from.createSnapshot({ volume: web, name: 's0' });
      await moveAll(['s0']);
      await write(from, 'state', 'later');
      await using sender = await from.openSender(web, ['s0']);
      await using receiver = await to.openReceiver(() => Promise.resolve());
      const [known, head] = sender.trees;
      if (!known || !head) throw new Error('no trees');
      expect(await receiver.offer({ volume: web, name: 's0' })).toEqual([
        { path: '/', uuid: known.uuid.replaceAll('-', '') },
      ]);
      expect(await transfer(sender, receiver, head, [known])).toBeLessThan(2 ** 16);
      expect(await read(to, '', 'state')).toBe(undefined);
      await receiver.place(web, []);
      expect([await read(to, '', 'state'), (await read(to, '', 'big'))?.length]).toEqual(['later', 4 * 2 ** 20]);
    });

    test('another snapshot of the same name is not taken for it', async () => {
      await from.createSnapshot({ volume: web, name: 's0' });
      await to.createSnapshot({ volume: web, name: 's0' });
      await using sender = await from.openSender(web, ['s0']);
      await using receiver = await to.openReceiver(() => Promise.resolve());
      const offered = await receiver.offer({ volume: web, name: 's0' });
      expect(offered.map(({ uuid }) => uuid)).not.toContain(sender.trees[0]?.uuid.replaceAll('-', ''));
    });

    test('cannot build on a tree that was not offered', async () => {
      await from.createSnapshot({ volume: web, name: 's0' });
      await using sender = await from.openSender(web, ['s0']);
      await using receiver = await to.openReceiver(() => Promise.resolve());
      const [known, head] = sender.trees;
      if (!known || !head) throw new Error('no trees');
      await expect(transfer(sender, receiver, head, [known])).rejects.toThrow('builds on a snapshot that is not here');
    });

    test('that are cut off or are none at all change nothing', async () => {
      await write(to, 'state', 'old');
      await using receiver = await to.openReceiver(() => Promise.resolve());
      const tree: StreamTree = { path: '/', snapshot: '', readonly: false, uuid: '' };
      for (const text of ['', 'hello', 'btrfs-stream\0\x01\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0']) {
        const pipe = new PassThrough();
        pipe.end(Buffer.from(text, 'latin1'));
        await expect(receiver.receive(tree, undefined, pipe)).rejects.toThrow();
      }
      expect(await read(to, '', 'state')).toBe('old');
    });

    test('a link in the tree leads nowhere', async () => {
      const top = await from.mountVolume(web);
      await mkdir(path.join(top, 'rootfs'));
      await symlink('/etc', path.join(top, 'rootfs', 'out'));
      await moveAll([]);
      expect(await read(to, '', 'rootfs/out/passwd')).toContain('root'); // the link itself came, for the guest to use
    });
  });
}
