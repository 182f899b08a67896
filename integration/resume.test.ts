import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CutProxy } from './harness/cut-proxy.ts';
import { freePort } from './harness/free-port.ts';
import { fingerprintOfTree, litterIn, rootfsOf, snapshotRootfsOf, usePeers } from './harness/peers.ts';
import { settled } from './harness/settled.ts';

const { here, there } = usePeers();
const megabyte = 2 ** 20;
const snapshots = 8;
let proxy: CutProxy;

beforeAll(async () => {
  proxy = new CutProxy((await there.must('config', 'get', 'core.https_address')).trim());
  const port = await freePort();
  await proxy.listen(port);
  await here.must('remote', 'add', 'weak', `127.0.0.1:${String(port)}`, '--accept-certificate', '--password', 'sesame');
  await here.must('init', 'tiny', 'pet');
  for (let number = 0; number < snapshots; number += 1) {
    writeFileSync(path.join(rootfsOf(here, 'default', 'pet'), `home/${String(number)}`), randomBytes(4 * megabyte));
    await here.must('snapshot', 'pet', `snap${String(number)}`);
  }
});
afterAll(() => proxy.close());

test.each(['default', 'plain'])('a copy into pool %s that is cut off goes on where it was', async pool => {
  const copy = ['copy', 'pet', 'weak:arrived', '-s', pool, '--mode', 'push'];
  proxy.cutAfter(24 * megabyte);
  const { status, stderr } = await here.cli(copy);
  expect([status, stderr]).toEqual([1, expect.stringMatching(/lost|cannot|closed|hang up|reset/i) as string]);
  proxy.cutAfter(Infinity);
  await settled(
    async () => (await there.cli(['config', 'get', 'arrived', 'volatile.migration.partial'])).stdout.length > 1,
  );

  const kept = (await there.request('GET', '/1.0/instances/arrived/snapshots')).json?.metadata as string[];
  expect(kept.length).toBeGreaterThanOrEqual(4);
  expect((await there.cli(['start', 'arrived'])).stderr).toContain('has only partly arrived');
  expect((await here.cli(copy)).stderr).toContain('go on with "--resume"');

  await here.must(...copy, '--resume');
  expect(proxy.carried).toBeLessThan(20 * megabyte);
  for (let number = 0; number < snapshots; number += 1) {
    const name = `snap${String(number)}`;
    expect(fingerprintOfTree(snapshotRootfsOf(there, pool, 'arrived', name))).toBe(
      fingerprintOfTree(snapshotRootfsOf(here, 'default', 'pet', name)),
    );
  }
  expect(fingerprintOfTree(rootfsOf(there, pool, 'arrived'))).toBe(fingerprintOfTree(rootfsOf(here, 'default', 'pet')));
  await there.must('start', 'arrived');
  await there.must('delete', 'arrived', '--force');
  await settled(() => litterIn(here).length + litterIn(there).length === 0);
  expect([...litterIn(here), ...litterIn(there)]).toEqual([]);
});

test('what is cut off twice keeps what came either time, and can be deleted', async () => {
  const copy = ['copy', 'pet', 'weak:arrived', '--mode', 'push'];
  const keptAfter = async (bytes: number, more: readonly string[]): Promise<number> => {
    proxy.cutAfter(bytes);
    await here.cli([...copy, ...more]);
    proxy.cutAfter(Infinity);
    await settled(async () => (await there.cli(['start', 'arrived'])).stderr.includes('partly arrived'));
    const { json } = await there.request('GET', '/1.0/instances/arrived/snapshots');
    return (json?.metadata as string[] | undefined)?.length ?? 0;
  };
  const first = await keptAfter(12 * megabyte, []);
  const second = await keptAfter(12 * megabyte, ['--resume']);
  expect(second).toBeGreaterThan(first);
  await there.must('delete', 'arrived');
  await settled(() => litterIn(there).length === 0);
  expect(litterIn(there)).toEqual([]);
});
