import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { kernel } from '#native/kernel.ts';
import type { StorageDriver, Volume } from '../driver.ts';
import { makeScratchPool, type ScratchPool } from '../testing/scratch-pool.ts';
import {
  type StreamTree,
  type TreeReceiver,
  type TreeSender,
  type TreeStreams,
  hasTreeStreams,
} from '../tree-streams.ts';
import { Folder } from '../trees/folder.ts';
import { btrfs } from './driver.ts';

const web: Volume = { kind: 'container', name: 'web' };

describe('streams of whole volumes', () => {
  let pools: readonly [ScratchPool, ScratchPool];
  let from: StorageDriver & TreeStreams;
  let to: StorageDriver & TreeStreams;

  beforeEach(async () => {
    pools = [await makeScratchPool(btrfs, { size: '256MiB' }), await makeScratchPool(btrfs, { size: '256MiB' })];
    const [one, other] = pools.map(pool => pool.driver);
    if (!one || !other || !hasTreeStreams(one) || !hasTreeStreams(other)) throw new Error('btrfs has no streams');
    [from, to] = [one, other];
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

  async function transfer(
    sender: TreeSender,
    receiver: TreeReceiver,
    tree: StreamTree,
    parent?: StreamTree,
  ): Promise<number> {
    const pipe = new PassThrough();
    let bytes = 0;
    pipe.on('data', (chunk: Buffer) => (bytes += chunk.length));
    const received = receiver.receive(tree, undefined, pipe);
    await sender.send(tree, parent, async chunk => void pipe.write(Buffer.from(chunk)));
    pipe.end();
    await received;
    return bytes;
  }

  /** Sends everything, each on top of the one before. */
  async function moveAll(snapshots: readonly string[]): Promise<void> {
    await using sender = await from.openSender(web, snapshots);
    await using receiver = await to.openReceiver(() => Promise.resolve());
    let parent: StreamTree | undefined;
    for (const tree of sender.trees) {
      await transfer(sender, receiver, tree, tree.path === '/' ? parent : undefined);
      if (tree.path === '/') parent = tree;
    }
    for (const name of snapshots) await receiver.placeSnapshot({ volume: web, name });
    await receiver.placeVolume(web);
  }

  test('carry a volume, its snapshots and what the guest nested in it', async () => {
    await write(from, 'state', 'one');
    const top = await from.mountVolume(web);
    using parent = Folder.open(top);
    await kernel.btrfsCreateSubvolume(parent.descriptor, 'inner');
    await writeFile(path.join(top, 'inner', 'file'), 'nested');
    await from.createSnapshot({ volume: web, name: 's0' });
    await write(from, 'state', 'two');
    await moveAll(['s0']);
    expect([await read(to, '', 'state'), await read(to, 's0', 'state')]).toEqual(['two', 'one']);
    expect([await read(to, '', 'inner/file'), await read(to, 's0', 'inner/file')]).toEqual(['nested', 'nested']);
    expect(await to.listSnapshots(web)).toEqual(['s0']);
    await write(to, 'inner/file', 'changed');
    await to.settle();
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
    expect(await transfer(sender, receiver, head, known)).toBeLessThan(2 ** 16);
    expect(await read(to, '', 'state')).toBe(undefined);
    await receiver.placeVolume(web);
    expect([await read(to, '', 'state'), (await read(to, '', 'big'))?.length]).toEqual(['later', 4 * 2 ** 20]);
  });

  test('another snapshot of the same name is not taken for it', async () => {
    await from.createSnapshot({ volume: web, name: 's0' });
    await to.createSnapshot({ volume: web, name: 's0' });
    await using receiver = await to.openReceiver(() => Promise.resolve());
    expect(await receiver.offer({ volume: web, name: 's0' })).toEqual([]);
  });

  test('cannot build on a tree that was not offered', async () => {
    await from.createSnapshot({ volume: web, name: 's0' });
    await using sender = await from.openSender(web, ['s0']);
    await using receiver = await to.openReceiver(() => Promise.resolve());
    const [known, head] = sender.trees;
    if (!known || !head) throw new Error('no trees');
    await expect(transfer(sender, receiver, head, known)).rejects.toThrow('builds on a snapshot that is not here');
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
