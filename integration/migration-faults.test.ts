import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { faultPoints } from '#base/fault-point.ts';
import type { TestDaemon } from './harness/daemon.ts';
import { settled } from './harness/fixture.ts';
import { fingerprintOfTree, litterIn, rootfsOf, snapshotRootfsOf, usePeers } from './harness/peers.ts';

const { here, there } = usePeers();
const pools = ['default', 'plain'] as const;

beforeAll(async () => {
  await here.must('init', 'tiny', 'pet');
  await here.must('snapshot', 'pet', 'first');
  await here.must('launch', 'tiny', 'bystander');
});

function pointsOf(word: string): readonly (readonly [string, string])[] {
  const points = faultPoints.filter(point => point.startsWith(`${word}.`));
  // The pools take turns: what differs between them is tried without faults in migration.test.ts.
  return points.map((point, index) => [point, pools[(index + word.length) % pools.length] ?? 'default'] as const);
}

async function namesAt(daemon: TestDaemon): Promise<readonly string[]> {
  const urls = (await daemon.request('GET', '/1.0/instances')).json?.metadata as string[];
  return urls.map(url => url.split('/').pop() ?? '');
}

/** Ends the target in the middle of what the command starts, and starts it again. */
async function killTargetAt(point: string, args: readonly string[]): Promise<void> {
  const { status } = await there.killAt(point, () => here.cli(args));
  expect(status).toBe(1);
}

async function expectSourceWhole(): Promise<void> {
  expect([...(await namesAt(here))].sort()).toEqual(['bystander', 'pet']);
  expect(await here.must('exec', 'bystander', '--', 'hostname')).toBe('bystander\n');
  const operations = (await here.request('GET', '/1.0/operations')).json?.metadata as Record<string, unknown>;
  await settled(() => litterIn(here).length + litterIn(there).length === 0);
  expect([operations['running'], ...litterIn(here), ...litterIn(there)]).toEqual([undefined]);
}

describe('the target is killed while it receives', () => {
  test.each(pointsOf('receive'))('at %s into pool %s', async (point, pool) => {
    await killTargetAt(point, ['copy', 'pet', 'there:arrived', '-s', pool]);
    expect(await namesAt(there)).toEqual(point === 'receive.after-ready' ? ['arrived'] : []);
    await expectSourceWhole();
    if (point !== 'receive.after-ready') await here.must('copy', 'pet', 'there:arrived', '-s', pool);
    await there.must('start', 'arrived');
    await there.must('delete', 'arrived', '--force');
  });
});

describe('the target is killed while it refreshes, and the old copy is whole or the new one is', () => {
  test.each(pointsOf('refresh'))('at %s in pool %s', async (point, pool) => {
    await here.must('copy', 'pet', 'there:kept', '-s', pool);
    const old = fingerprintOfTree(rootfsOf(there, pool, 'kept'));
    writeFileSync(path.join(rootfsOf(here, 'default', 'pet'), 'home/news'), point);
    await here.must('snapshot', 'pet', 'news');
    await killTargetAt(point, ['copy', 'pet', 'there:kept', '-s', pool, '--refresh']);
    const now = fingerprintOfTree(rootfsOf(there, pool, 'kept'));
    const fresh = fingerprintOfTree(rootfsOf(here, 'default', 'pet'));
    expect(point === 'refresh.after-row' ? [old] : [old, fresh]).toContain(now);
    expect(fingerprintOfTree(snapshotRootfsOf(there, pool, 'kept', 'first'))).toBe(
      fingerprintOfTree(snapshotRootfsOf(here, 'default', 'pet', 'first')),
    );
    await here.must('copy', 'pet', 'there:kept', '-s', pool, '--refresh');
    expect(fingerprintOfTree(rootfsOf(there, pool, 'kept'))).toBe(fresh);
    await here.must('delete', 'pet/news');
    await there.must('delete', 'kept');
    await expectSourceWhole();
  });
});

describe('the source is killed', () => {
  test('before the target has everything, and nothing of it stays there', async () => {
    const { json } = await here.request('POST', '/1.0/instances/pet', { migration: true });
    const address = (await here.must('config', 'get', 'core.https_address')).trim();
    const { certificate } = (await here.request('GET', '/1.0')).json?.metadata.environment ?? {};
    const source = {
      type: 'migration',
      mode: 'pull',
      operation: `https://${address}${json?.operation ?? ''}`,
      certificate,
      secrets: json?.metadata.metadata,
    };
    const receiving = await there.request('POST', '/1.0/instances', { name: 'arrived', source });
    await here.kill();
    const { json: ended } = await there.request('GET', `${receiving.json?.operation ?? ''}/wait`);
    expect(ended?.metadata.status).toBe('Failure');
    await here.start();
    expect(await namesAt(there)).toEqual([]);
    await expectSourceWhole();
  });
});
