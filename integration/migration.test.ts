import { execFileSync } from 'node:child_process';
import { linkSync, lutimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { settled } from './harness/fixture.ts';
import { fingerprintOfTree, litterIn, rootfsOf, snapshotRootfsOf, usePeers } from './harness/peers.ts';

const { here, there } = usePeers();

/** What file systems and rsync can get wrong. */
function fillTree(root: string): void {
  writeFileSync(path.join(root, 'etc/owned'), 'x', { mode: 0o640 });
  execFileSync('chown', ['-h', '1000:1001', path.join(root, 'etc/owned')]);
  writeFileSync(path.join(root, 'home/one'), 'linked');
  linkSync(path.join(root, 'home/one'), path.join(root, 'home/two'));
  execFileSync('ln', ['-s', '/etc/shadow', path.join(root, 'home/out')]);
  execFileSync('mknod', [path.join(root, 'home/null'), 'c', '1', '3']);
  execFileSync('mkfifo', [path.join(root, 'home/pipe')]);
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', path.join(root, 'home/one')]);
  execFileSync('truncate', ['-s', '4M', path.join(root, 'home/sparse')]);
  writeFileSync(path.join(root, 'home/setuid'), '#!', { mode: 0o755 });
  execFileSync('chmod', ['4755', path.join(root, 'home/setuid')]);
  lutimesSync(path.join(root, 'home/out'), 1_000_000_000, 1_000_000_000);
}

beforeAll(async () => {
  await here.must('init', 'tiny', 'pet');
  fillTree(rootfsOf(here, 'default', 'pet'));
  await here.must('snapshot', 'pet', 'first');
  writeFileSync(path.join(rootfsOf(here, 'default', 'pet'), 'home/later'), 'later');
  await here.must('snapshot', 'pet', 'second');
  writeFileSync(path.join(rootfsOf(here, 'default', 'pet'), 'home/now'), 'now');
  await here.must('config', 'set', 'pet', 'user.note', 'mine');
});

describe('a copy on another server has everything', () => {
  test.each([
    ['default', 'default', 'pull'],
    ['default', 'plain', 'push'],
    ['plain', 'default', 'relay'],
    ['plain', 'plain', 'pull'],
  ] as const)('from pool %s to pool %s by %s', async (from, to, mode) => {
    const name = `pet-${from}-${to}`;
    if (from === 'plain' && !(await has(here, 'plainpet'))) await here.must('copy', 'pet', 'plainpet', '-s', 'plain');
    const source = from === 'plain' ? 'plainpet' : 'pet';
    await here.must('copy', source, `there:${name}`, '-s', to, '--mode', mode);
    expect(fingerprintOfTree(rootfsOf(there, to, name))).toBe(fingerprintOfTree(rootfsOf(here, from, source)));
    for (const snapshot of ['first', 'second'])
      expect(fingerprintOfTree(snapshotRootfsOf(there, to, name, snapshot))).toBe(
        fingerprintOfTree(snapshotRootfsOf(here, from, source, snapshot)),
      );
    const { json } = await there.request('GET', `/1.0/instances/${name}?recursion=1`);
    expect(json?.metadata).toMatchObject({ status: 'Stopped', config: { 'user.note': 'mine' } });
    const snapshots = json?.metadata.snapshots as { name: string }[];
    expect(snapshots.map(snapshot => snapshot.name)).toEqual(['first', 'second']);
    await there.must('start', name);
    expect(await there.must('exec', name, '--', 'hostname')).toBe(`${name}\n`);
    expect(await there.must('exec', name, '--', 'cat', '/home/now')).toBe('now');
    await there.must('delete', name, '--force');
    await expectClean();
  });
});

async function has(daemon: typeof here, name: string): Promise<boolean> {
  return (await daemon.request('GET', `/1.0/instances/${name}`)).status === 200;
}

/** Nothing half-made is left on either server; what is deleted in the background may take a moment. */
async function expectClean(): Promise<void> {
  await settled(() => litterIn(here).length + litterIn(there).length === 0);
  expect([...litterIn(here), ...litterIn(there)]).toEqual([]);
}

test('a single snapshot becomes an instance, and an instance may come alone', async () => {
  await here.must('copy', 'pet/first', 'there:old');
  expect(fingerprintOfTree(rootfsOf(there, 'default', 'old'))).toBe(
    fingerprintOfTree(snapshotRootfsOf(here, 'default', 'pet', 'first')),
  );
  await here.must(
    'copy',
    'pet',
    'there:alone',
    '--instance-only',
    '-c',
    'user.note=other',
    '--no-profiles',
    '-s',
    'plain',
  );
  const { json } = await there.request('GET', '/1.0/instances/alone?recursion=1');
  expect(json?.metadata).toMatchObject({ snapshots: [], profiles: [], config: { 'user.note': 'other' } });
  for (const name of ['old', 'alone']) await there.must('delete', name);
});

test('a taken name, and a server that is not the one named, are refused and leave nothing', async () => {
  await here.must('copy', 'pet', 'there:taken');
  const again = await here.cli(['copy', 'pet', 'there:taken']);
  expect([again.status, again.stderr]).toEqual([1, 'Error: Instance "taken" already exists\n']);
  await there.must('delete', 'taken');

  const source = await here.request('POST', '/1.0/instances/pet', { migration: true });
  const address = (await here.must('config', 'get', 'core.https_address')).trim();
  const { certificate } = (await there.request('GET', '/1.0')).json?.metadata.environment ?? {};
  const wrong = await there.operate('POST', '/1.0/instances', {
    name: 'victim',
    source: {
      type: 'migration',
      mode: 'pull',
      operation: `https://${address}${source.json?.operation ?? ''}`,
      certificate,
      secrets: source.json?.metadata.metadata,
    },
  });
  expect(wrong.json?.metadata.err).toContain('does not present the certificate that was named');
  expect((await there.request('GET', '/1.0/instances')).json?.metadata).toEqual([]);
  await here.request('DELETE', source.json?.operation ?? '');
});

test('a move keeps MAC address and identity, and the source is gone', async () => {
  await here.must('init', 'tiny', 'mover', '-c', 'volatile.eth0.hwaddr=00:16:3e:aa:bb:cc').catch(() => undefined);
  if (!(await has(here, 'mover'))) await here.must('init', 'tiny', 'mover');
  const uuid = (await here.must('config', 'get', 'mover', 'volatile.uuid')).trim();
  await here.must('move', 'mover', 'there:');
  expect(await has(here, 'mover')).toBe(false);
  expect((await there.must('config', 'get', 'mover', 'volatile.uuid')).trim()).toBe(uuid);
  await there.must('delete', 'mover');
});

describe('a refresh', () => {
  test.each(['default', 'plain'])('brings an old copy in pool %s up to date', async pool => {
    const name = `kept-${pool}`;
    await here.must('copy', 'pet', `there:${name}`, '-s', pool);
    const root = rootfsOf(here, 'default', 'pet');
    writeFileSync(path.join(root, `home/new-${pool}`), 'new');
    await here.must('snapshot', 'pet', `third-${pool}`);
    await here.must('delete', 'pet/second').catch(() => undefined);
    await here.must('copy', 'pet', `there:${name}`, '--refresh', '-s', pool);
    expect(fingerprintOfTree(rootfsOf(there, pool, name))).toBe(fingerprintOfTree(root));
    const names = async (daemon: typeof here, instance: string): Promise<readonly string[]> =>
      (await daemon.must('query', `/1.0/instances/${instance}/snapshots`)).match(/[^/"]+(?=")/g) ?? [];
    expect(await names(there, name)).toEqual(await names(here, 'pet'));
    await there.must('delete', name);
    await expectClean();
  });
});

test('a container is copied while it runs', async () => {
  await here.must('start', 'pet');
  await here.must('copy', 'pet', 'there:running', '--stateless');
  await here.must('copy', 'pet', 'there:running-plain', '--stateless', '-s', 'plain');
  await here.must('stop', 'pet', '--force');
  for (const name of ['running', 'running-plain']) {
    expect(await there.must('list', name, '-c', 's', '-f', 'csv')).toContain('STOPPED');
    await there.must('delete', name);
  }
});
