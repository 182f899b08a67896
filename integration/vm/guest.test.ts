import { execFileSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { settled, useDaemon, zpoolOf } from '../harness/fixture.ts';

// Every call costs seconds of emulation: one container lives through all of this.
const daemon = useDaemon({ storage: 'zfs' });
const zpool = zpoolOf(daemon);
const cgroup2 = 0x63677270; // CGROUP2_SUPER_MAGIC

async function must(method: string, url: string, body?: unknown): Promise<unknown> {
  const { json } = await daemon.operate(method, url, body);
  const operation = json?.metadata as { status?: string; err?: string } | undefined;
  if (json?.error || operation?.err) throw new Error(`${method} ${url}: ${json?.error || operation?.err || ''}`);
  return json?.metadata;
}

const inside = (script: string): Promise<string> => daemon.must('exec', 'c1', '--', 'sh', '-c', script);
const power = (action: string): Promise<unknown> =>
  must('PUT', '/1.0/instances/c1/state', { action, force: true, timeout: 60 });
const zfs = (...args: string[]): string => execFileSync('zfs', args, { encoding: 'utf8' });
const loadedProfiles = (): string => readFileSync('/sys/kernel/security/apparmor/profiles', 'utf8');

test('this host has what the guest is for: AppArmor, and nothing but cgroup v2', () => {
  expect(readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8')).toBe('Y\n');
  expect(statfsSync('/sys/fs/cgroup').type).toBe(cgroup2);
});

test('an instance is a clone of its image, in datasets named as LXD names them', async () => {
  const config = {
    'limits.memory': '64MiB',
    'limits.processes': '100',
    'limits.cpu.allowance': '50ms/100ms',
    'raw.apparmor': 'deny /home/secret r,',
  };
  await must('POST', '/1.0/instances', { name: 'c1', source: { type: 'image', alias: 'tiny' }, config });
  const listed = zfs('list', '-H', '-r', '-o', 'name,origin', `${zpool}/containers`).trim().split('\n');
  expect(execFileSync('zpool', ['get', '-H', '-o', 'value', 'autotrim', zpool], { encoding: 'utf8' })).toBe('on\n');
  expect(listed[1]).toMatch(new RegExp(`^${zpool}/containers/c1\t${zpool}/images/[0-9a-f]{64}@readonly$`));
  await power('start');
});

test('limits, the profile and the ids hold for init and for commands', async () => {
  const lines = (
    await inside(`cd /sys/fs/cgroup; cat memory.max pids.max cpu.max; cat /proc/self/cgroup
    cat /proc/1/attr/current /proc/self/attr/current; stat -c %u:%g /sbin/init
    echo x >/home/secret; cat /home/secret 2>&1 || true`)
  ).trim();
  expect(lines.split('\n')).toEqual([
    String(64 * 2 ** 20),
    '100',
    '50000 100000',
    expect.stringMatching(/^0::\/(?!\.\.)/),
    expect.stringMatching(/^lxd-like-\w+-c1 \(enforce\)$/),
    expect.stringMatching(/^lxd-like-\w+-c1 \(enforce\)$/),
    '0:0',
    expect.stringContaining('Permission denied'),
  ]);
  expect(loadedProfiles()).toMatch(/^lxd-like-\w+-c1 /m);
});

test('limits change while it runs, and it can be frozen', async () => {
  await must('PATCH', '/1.0/instances/c1', { config: { 'limits.memory': '96MiB' } });
  await power('freeze');
  expect(await must('GET', '/1.0/instances/c1/state')).toMatchObject({ status: 'Frozen' });
  await power('unfreeze');
  expect(await inside('cat /sys/fs/cgroup/memory.max')).toBe(`${String(96 * 2 ** 20)}\n`);
});

test('an older snapshot is restored and the newer one kept', async () => {
  await must('POST', '/1.0/instances/c1/snapshots', { name: 'old' });
  await inside('echo new >/root/state');
  await must('POST', '/1.0/instances/c1/snapshots', { name: 'new' });
  await must('PUT', '/1.0/instances/c1', { restore: 'old' });
  expect(await inside('cat /root/state || true')).toBe('');
  await must('PUT', '/1.0/instances/c1', { restore: 'new' });
  expect(await inside('cat /root/state')).toBe('new\n');
});

test('files of a snapshot are read and put back with the ids that they have inside', async () => {
  await inside('mkdir -p /srv/site; echo one >/srv/site/page; chmod 640 /srv/site/page; chown 33:34 /srv/site/page');
  await must('POST', '/1.0/instances/c1/snapshots', { name: 'files' });
  await inside('echo two >/srv/site/page; chown 0:0 /srv/site/page');
  const snapshot = '/1.0/instances/c1/snapshots/files';
  const read = await daemon.request('GET', `${snapshot}/files?path=/srv/site/page`);
  expect(read.body).toBe('one\n');
  expect(read.headers).toMatchObject({ 'x-lxd-uid': '33', 'x-lxd-gid': '34', 'x-lxd-mode': '0640' });
  expect(await must('GET', '/1.0/instances/c1/file-history?path=/srv/site/page')).toMatchObject([
    { type: 'absent', snapshots: ['old', 'new'] },
    { snapshots: ['files'], uid: 33, changed: ['type'] },
    { snapshots: [], uid: 0, current: true, changed: ['content', 'owner'] },
  ]);
  for (const path of ['/srv/site/page', '/srv/site']) await must('POST', `${snapshot}/file-restore`, { path });
  expect(await inside('cd /srv; cat site/page site.~1~/page site.~1~/page.~1~; stat -c %u:%g site/page; ls -A')).toBe(
    'one\none\ntwo\n33:34\nsite\nsite.~1~\n',
  );
  await must('DELETE', snapshot);
  expect((await daemon.request('GET', `${snapshot}/files?path=/srv/site/page`)).status).toBe(404);
});

test('a killed daemon finds it running', async () => {
  const pid = async (): Promise<number> => ((await must('GET', '/1.0/instances/c1/state')) as { pid: number }).pid;
  const before = await pid();
  await daemon.kill();
  await daemon.start();
  expect(await pid()).toBe(before);
});

test('what the image was needed for goes with the instance, and so does the profile', async () => {
  const [image = ''] = (await must('GET', '/1.0/images')) as string[];
  await must('DELETE', image);
  await power('stop');
  expect(loadedProfiles()).not.toMatch(/-c1 /);
  await must('DELETE', '/1.0/instances/c1');
  const left = (): readonly string[] => zfs('list', '-H', '-r', '-o', 'name', `${zpool}/deleted`).trim().split('\n');
  expect(await settled(() => left().length === 1, 60_000)).toBe(true);
});
