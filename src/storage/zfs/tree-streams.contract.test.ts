import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { canChainStreams, type ReceivedStream, type StorageDriver, type Volume } from '../driver.ts';
import { makeScratchPool, type ScratchPool } from '../testing/scratch-pool.ts';
import { describeTreeStreams, moveVolume, streamsOf, transfer } from '../testing/tree-streams-contract.ts';
import type { TreeStreams } from '../tree-streams.ts';
import { zfs } from './driver.ts';
import { makeZpool, type ScratchZpool } from './testing/scratch-zpool.ts';
import { zfs as runZfs, zfsTable } from './zfs-command.ts';

const web: Volume = { kind: 'container', name: 'web' };
let zpool: ScratchZpool;
let pools = 0;

beforeAll(async () => {
  zpool = await makeZpool('streams');
});
afterAll(() => zpool.dispose());

function makePool(): Promise<ScratchPool> {
  pools += 1;
  return makeScratchPool(zfs, { source: `${zpool.name}/pool${String(pools)}` });
}

describeTreeStreams('zfs', makePool);

describe('streams of ZFS', () => {
  let scratch: readonly [ScratchPool, ScratchPool];
  let from: StorageDriver & TreeStreams;
  let to: StorageDriver & TreeStreams;

  beforeEach(async () => {
    scratch = [await makePool(), await makePool()];
    [from, to] = [streamsOf(scratch[0]), streamsOf(scratch[1])];
    await from.createVolume(web);
    await to.createVolume(web);
  });
  afterEach(async () => {
    for (const pool of scratch) await pool.dispose();
  });

  async function write(text: string): Promise<void> {
    await writeFile(path.join(await from.mountVolume(web), 'state'), text);
  }
  async function states(driver: StorageDriver, volume = web): Promise<readonly string[]> {
    const folders = [await driver.mountVolume(volume)];
    for (const name of await driver.listSnapshots(volume)) folders.push(await driver.mountSnapshot({ volume, name }));
    return await Promise.all(folders.map(folder => readFile(path.join(folder, 'state'), 'utf8')));
  }
  const datasetsIn = async ({ context }: ScratchPool, folder: string): Promise<readonly string[]> => {
    const root = `${context.config['zfs.pool_name'] ?? ''}/${folder}`;
    const table = await zfsTable(['list', '-H', '-r', '-t', 'filesystem,snapshot', '-o', 'name', root]);
    return table.map(([name = '']) => name.slice(root.length + 1));
  };

  /** Snapshots "old" and "new", of which the older was restored, and "last" after that. */
  async function branchOff(): Promise<void> {
    for (const name of ['old', 'new']) {
      await write(name);
      await from.createSnapshot({ volume: web, name });
    }
    await from.restoreSnapshot({ volume: web, name: 'old' });
    await write('last');
    await from.createSnapshot({ volume: web, name: 'last' });
    await write('now');
  }

  test('carry snapshots that are not one line, in their order, each as what differs', async () => {
    await branchOff();
    await using sender = await from.openSender(web, ['old', 'new', 'last']);
    expect([sender.common, sender.trees.map(({ snapshot }) => snapshot)]).toEqual([false, ['old', 'new', 'last', '']]);
    await moveVolume(from, to, web, ['old', 'new', 'last']);
    await to.settle();
    expect(await to.listSnapshots(web)).toEqual(['old', 'new', 'last']);
    expect(await states(to)).toEqual(['now', 'old', 'new', 'last']);
    await to.restoreSnapshot({ volume: web, name: 'new' });
    expect(await states(to)).toEqual(['new', 'old', 'new', 'last']);
  });

  test('one line of snapshots is what LXD knows too', async () => {
    await from.createSnapshot({ volume: web, name: 's0' });
    await using sender = await from.openSender(web, ['s0']);
    expect(sender.common).toBe(true);
  });

  test('a refresh keeps the line, replaces a snapshot made anew, and leaves nothing of the old content', async () => {
    await write('one');
    for (const name of ['s0', 's1']) await from.createSnapshot({ volume: web, name });
    await moveVolume(from, to, web, ['s0', 's1']);
    await writeFile(path.join(await to.mountVolume(web), 'state'), 'changed there');
    await from.deleteSnapshot({ volume: web, name: 's1' });
    await write('two');
    await from.createSnapshot({ volume: web, name: 's1' });
    await using sender = await from.openSender(web, ['s0', 's1']);
    await using receiver = await to.openReceiver(() => Promise.resolve());
    await receiver.offer({ volume: web, name: 's0' });
    const [, ...sent] = sender.trees;
    for (const tree of sent) await transfer(sender, receiver, tree, sender.trees.slice(0, sender.trees.indexOf(tree)));
    await receiver.place(web, ['s1']);
    await to.settle();
    expect(await states(to)).toEqual(['two', 'one', 'two']);
    expect(await datasetsIn(scratch[1], 'containers')).toEqual([
      '',
      expect.stringMatching(/^\.temporary-/), // of the receiver
      'web',
      'web@snapshot-s0',
      'web@snapshot-s1',
    ]);
    expect(await datasetsIn(scratch[1], 'containers-snapshots/web')).toEqual(['']);
  });

  test('carry nested datasets, which a copy, a restored snapshot and a deletion take along', async () => {
    const root = scratch[0].context.config['zfs.pool_name'] ?? '';
    await runZfs(['create', '-o', 'mountpoint=legacy', `${root}/containers/web/inner`]);
    await from.createSnapshot({ volume: web, name: 's0' });
    await moveVolume(from, to, web, ['s0']);
    const nested = ['web', 'web@snapshot-s0', 'web/inner', 'web/inner@snapshot-s0'];
    expect(await datasetsIn(scratch[1], 'containers')).toEqual(['', ...nested]);
    await from.cloneVolume(web, { ...web, name: 'copy' });
    expect(await datasetsIn(scratch[0], 'containers')).toContain('copy/inner');
    await to.restoreSnapshot({ volume: web, name: 's0' });
    await to.settle();
    expect(await datasetsIn(scratch[1], 'containers')).toEqual(['', ...nested]);
    await to.deleteVolume(web);
    await to.settle();
    expect(await datasetsIn(scratch[1], 'deleted')).toEqual(['']);
  });

  test('a package of streams, which could bring properties, is refused', async () => {
    await from.createSnapshot({ volume: web, name: 's0' });
    await using receiver = await to.openReceiver(() => Promise.resolve());
    const pipe = new PassThrough();
    const name = `${scratch[0].context.config['zfs.pool_name'] ?? ''}/containers/web@snapshot-s0`;
    const sending = runZfs(['send', '-R', name], { output: pipe }).catch(() => undefined);
    const tree = { path: '/', snapshot: '', readonly: false, uuid: '' };
    await expect(receiver.receive(tree, undefined, pipe)).rejects.toThrow('more than one snapshot');
    await sending;
  });

  test('what is no volume of ours is refused before anything is in its place', async () => {
    await using sender = await from.openSender(web, []);
    await using receiver = await to.openReceiver(() => Promise.reject(new Error('no root file system')));
    const [tree] = sender.trees;
    if (!tree) throw new Error('no trees');
    await expect(transfer(sender, receiver, tree)).rejects.toThrow('no root file system');
    const other = { ...tree, uuid: '1' };
    await expect(transfer(sender, receiver, other)).rejects.toThrow('not what was announced');
  });

  test('a backup is a chain of them', async () => {
    if (!canChainStreams(from) || !canChainStreams(to)) throw new Error('ZFS has streams');
    const copy: Volume = { kind: 'custom', name: 'copy' };
    await branchOff();
    await using chain = await from.openChain(web, ['old', 'new', 'last']);
    const streams = async function* (): AsyncGenerator<ReceivedStream> {
      for (const member of chain.members) {
        const input = new PassThrough();
        void member.write(input).then(() => input.end());
        yield { ...member, input };
      }
    };
    await to.receiveChain(copy, streams());
    await to.settle();
    expect(await to.listSnapshots(copy)).toEqual(['old', 'new', 'last']);
    expect(await states(to, copy)).toEqual(['now', 'old', 'new', 'last']);
    await expect(to.receiveChain(copy, streams())).rejects.toMatchObject({ code: 'already-exists' });
  });

  test('a daemon that died while it sent or received leaves nothing', async () => {
    await write('kept');
    const sender = await from.openSender(web, []);
    const receiver = await from.openReceiver(() => Promise.resolve());
    const again = scratch[0].again();
    await again.mountPool();
    await again.settle();
    expect(await datasetsIn(scratch[0], 'containers')).toEqual(['', 'web']);
    expect(await states(again)).toEqual(['kept']);
    await again.unmountVolume(web);
    await receiver[Symbol.asyncDispose]();
    await sender[Symbol.asyncDispose]();
  });
});
