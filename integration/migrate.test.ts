import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { settled } from './harness/fixture.ts';
import { litterIn, rootfsOf, usePeers } from './harness/peers.ts';

const { here, there } = usePeers({ network: true });

async function statusAt(daemon: typeof here, name: string): Promise<string | undefined> {
  const { json, status } = await daemon.request('GET', `/1.0/instances/${name}`);
  return status === 404 ? undefined : (json?.metadata.status as string);
}

async function snapshotsAt(daemon: typeof here, name: string): Promise<number> {
  const answer = await daemon.request('GET', `/1.0/instances/${name}/snapshots`);
  return (answer.json?.metadata as string[] | undefined)?.length ?? -1;
}

async function launchWriter(name: string): Promise<void> {
  await here.must('launch', 'tiny', name);
  const loop = 'i=0; while :; do i=$((i+1)); echo $i >> /home/log; sleep 0.1; done';
  await here.must('exec', name, '--', 'sh', '-c', `(${loop}) >/dev/null 2>&1 &`);
}

/** One instance runs, the source's, and nothing of it is at the target. */
async function expectOnlyHere(name: string): Promise<void> {
  expect([await statusAt(here, name), await statusAt(there, name)]).toEqual(['Running', undefined]);
  await settled(() => litterIn(here).length + litterIn(there).length === 0);
  expect([...litterIn(here), ...litterIn(there)]).toEqual([]);
}

test('a running container goes over in rounds and stands still for a moment only', async () => {
  await launchWriter('pet');
  await here.must('snapshot', 'pet', 'mine');
  const mac = (await here.must('config', 'get', 'pet', 'volatile.eth0.hwaddr')).trim();
  const output = await here.must('migrate', 'pet', 'there:', '--max-downtime', '4s', '--timeout', '5');
  expect(output).toMatch(/^Migrated pet: method near-live, \d+ rounds, [\d.]+ MB, [\d.]+ s, downtime [\d.]+ s\n$/);
  const [, downtime = ''] = /downtime ([\d.]+)/.exec(output) ?? [];
  expect(Number(downtime)).toBeLessThan(8);
  expect([await statusAt(here, 'pet'), await statusAt(there, 'pet')]).toEqual([undefined, 'Running']);
  expect((await there.must('config', 'get', 'pet', 'volatile.eth0.hwaddr')).trim()).toBe(mac);
  expect(await snapshotsAt(there, 'pet')).toBe(1);
  expect(await there.must('exec', 'pet', '--', 'cat', '/proc/sys/net/ipv4/conf/all/arp_notify')).toBe('1\n');
  if (existsSync('/proc/sys/net/ipv6'))
    expect(await there.must('exec', 'pet', '--', 'cat', '/proc/sys/net/ipv6/conf/all/ndisc_notify')).toBe('1\n');
  const lines = (await there.must('exec', 'pet', '--', 'cat', '/home/log')).trim().split('\n').map(Number);
  expect(lines).toEqual(lines.map((_, index) => index + 1));
  await there.must('delete', 'pet', '--force');
});

test('a plan says how, and what stands in the way', async () => {
  await here.must('launch', 'tiny', 'pet');
  expect(await here.must('migrate', 'pet', 'there:', '--plan')).toContain('Method: near-live\n');
  expect(await here.must('migrate', 'pet', 'there:', '--plan', '--method', 'cold')).toMatch(
    /Method: cold\n.*\nPredicted/,
  );
  const blocked = await here.must('migrate', 'pet', 'there:', '--plan', '-d', 'eth0,network=missing');
  expect(blocked).toContain('Method: none is possible\n');
  expect(blocked).toContain('Against every method: the target has no network "missing" for "eth0"');
  const refused = await here.cli(['migrate', 'pet', 'there:', '-p', 'missing']);
  expect(refused.stderr).toContain('the target has no profile "missing"');
  await expectOnlyHere('pet');
});

test('by "move" and cold, into a pool of another kind', async () => {
  const output = await here.must('move', 'pet', 'there:', '--method', 'cold', '-s', 'plain', '--timeout', '5');
  expect(output).toMatch(/^Migrated pet: method cold, 0 rounds/);
  expect(await statusAt(there, 'pet')).toBe('Running');
  expect(existsSync(path.join(rootfsOf(there, 'plain', 'pet'), 'bin/busybox'))).toBe(true);
  await there.must('delete', 'pet', '--force');
});

test.each(['receive.after-volume:throw', 'refresh.after-volume:throw'])(
  'a target that fails at %s leaves the source running and keeps nothing',
  async fault => {
    await here.must('launch', 'tiny', 'pet');
    await there.terminate();
    await there.start({ LXD_LIKE_FAULT: fault });
    const { status, stderr } = await here.cli(['migrate', 'pet', 'there:', '--timeout', '5']);
    expect([status, stderr]).toEqual([1, expect.stringContaining('was asked to fail') as string]);
    await expectOnlyHere('pet');
    expect(await snapshotsAt(here, 'pet')).toBe(0);
    await there.terminate();
    await there.start();
    await here.must('delete', 'pet', '--force');
  },
);

test('a target that does not start it gives the source its life back', async () => {
  await here.must('launch', 'tiny', 'pet');
  await there.terminate();
  await there.start({ LXD_LIKE_FAULT: 'start.after-devices:throw' });
  const { status } = await here.cli(['migrate', 'pet', 'there:', '--timeout', '5']);
  expect(status).toBe(1);
  await expectOnlyHere('pet');
  await there.terminate();
  await there.start();
});

test('a move that is cut off goes on where it was', async () => {
  writeFileSync(path.join(rootfsOf(here, 'default', 'pet'), 'home/big'), Buffer.alloc(8 * 2 ** 20, 'x'));
  await there.terminate();
  await there.start({ LXD_LIKE_FAULT: 'refresh.after-volume:kill' });
  const { status, stderr } = await here.cli(['migrate', 'pet', 'there:', '--timeout', '5', '--max-downtime', '1ms']);
  expect([status, stderr]).toEqual([1, expect.stringContaining('go on with "--resume"') as string]);
  expect(await statusAt(here, 'pet')).toBe('Running');
  await there.ended();
  await there.start();
  const again = await here.cli(['migrate', 'pet', 'there:', '--timeout', '5']);
  expect(again.stderr).toContain('use "--resume" to go on');
  const output = await here.must('migrate', 'pet', 'there:', '--timeout', '5', '--resume');
  const [, megabytes = ''] = /([\d.]+) MB/.exec(output) ?? [];
  expect(Number(megabytes)).toBeLessThan(4);
  expect([await statusAt(here, 'pet'), await statusAt(there, 'pet')]).toEqual([undefined, 'Running']);
  expect(await snapshotsAt(there, 'pet')).toBe(0);
  await there.must('delete', 'pet', '--force');
});
