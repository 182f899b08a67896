import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { kernel } from '#native/kernel.ts';
import type { Volume } from '../driver.ts';
import { makeScratchPool } from '../testing/scratch-pool.ts';
import { describeTreeStreams, moveVolume, streamsOf } from '../testing/tree-streams-contract.ts';
import { Folder } from '../trees/folder.ts';
import { btrfs } from './driver.ts';

const makePool = (): ReturnType<typeof makeScratchPool> => makeScratchPool(btrfs, { size: '256MiB' });

describeTreeStreams('btrfs', makePool);

async function makeSubvolume(folder: string, name: string): Promise<void> {
  using parent = Folder.open(folder);
  await kernel.btrfsCreateSubvolume(parent.descriptor, name);
}

test('streams carry what the guest nested in a volume', async () => {
  const web: Volume = { kind: 'container', name: 'web' };
  const pools = [await makePool(), await makePool()] as const;
  const [from, to] = [streamsOf(pools[0]), streamsOf(pools[1])];
  for (const driver of [from, to]) await driver.createVolume(web);
  const top = await from.mountVolume(web);
  await makeSubvolume(top, 'inner');
  await writeFile(path.join(top, 'inner', 'file'), 'nested');
  await from.createSnapshot({ volume: web, name: 's0' });
  await moveVolume(from, to, web, ['s0']);
  const volume = await to.mountVolume(web);
  for (const folder of [volume, await to.mountSnapshot({ volume: web, name: 's0' })])
    expect(await readFile(path.join(folder, 'inner/file'), 'utf8')).toBe('nested');
  await writeFile(path.join(volume, 'inner/file'), 'changed');
  for (const pool of pools) await pool.dispose();
});
