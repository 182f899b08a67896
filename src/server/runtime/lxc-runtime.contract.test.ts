import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '#base/log.ts';
import { StatePaths } from '../paths.ts';
import { Cgroups } from './cgroups.ts';
import { processIdentity, readRecord } from './container-record.ts';
import { LxcRuntime } from './lxc-runtime.ts';
import type { ContainerSpec, StoppedEvent } from './runtime.ts';
import { describeRuntime, type RuntimeUnderTest } from './testing/runtime-contract.ts';
import { createTinyRootfs, testIdmap } from './testing/tiny-container.ts';

const init = `#!/bin/sh
trap 'poweroff -f' PWR
trap 'reboot -f' INT
echo init is up
[ -e /etc/turn-off ] && poweroff -f
while :; do sleep 1000 & wait $!; done
`;

interface Place extends RuntimeUnderTest {
  readonly paths: StatePaths;
  readonly rootfs: string;
}

function createPlace(): Place {
  const folder = mkdtempSync('/var/tmp/runtime-');
  chmodSync(folder, 0o711);
  const rootfs = path.join(folder, 'rootfs');
  createTinyRootfs(rootfs);
  mkdirSync(path.join(rootfs, 'sbin'), { recursive: true });
  mkdirSync(path.join(rootfs, 'mnt'), { recursive: true });
  writeFileSync(path.join(rootfs, 'sbin/init'), init, { mode: 0o755 });
  for (const applet of ['poweroff', 'reboot', 'echo', 'ip']) symlinkSync('busybox', path.join(rootfs, 'bin', applet));
  const paths = new StatePaths(path.join(folder, 'state'));
  const create = (): LxcRuntime => new LxcRuntime({ paths, log: silentLog });
  return {
    runtime: create(),
    paths,
    rootfs,
    restarted: create,
    spec: id => ({
      id,
      hostName: id,
      architecture: 'x86_64',
      rootfs,
      idmap: testIdmap,
      mounts: [],
      nics: [],
      environment: { PATH: '/bin' },
      limits: {},
      nesting: false,
      rawConfig: '',
    }),
    close: () => {
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

describeRuntime('LxcRuntime', () => Promise.resolve(createPlace()));

describe('LxcRuntime on this host', () => {
  const id = 'c2';
  let place: Place;
  let spec: ContainerSpec;
  let stopped: StoppedEvent[] = [];
  beforeAll(() => {
    place = createPlace();
    place.runtime.onStopped(event => void stopped.push(event));
    spec = place.spec(id);
  });
  afterEach(async () => {
    await place.runtime.kill(id);
    rmSync(path.join(place.rootfs, 'etc/turn-off'), { force: true });
    stopped = [];
  });
  afterAll(async () => {
    await place.runtime.close();
    await place.close();
  });

  const sh = async (script: string): Promise<string> => {
    const process = await place.runtime.exec(id, {
      command: ['sh', '-c', script],
      environment: { PATH: '/bin' },
      uid: 0,
      gid: 0,
      cwd: '/',
    });
    process.stdin.end();
    process.stderr?.resume();
    let output = '';
    for await (const part of process.stdout) output += String(part);
    await process.exited;
    return output.trim();
  };
  const until = async (done: () => boolean): Promise<void> => {
    for (let tries = 0; tries < 1000 && !done(); tries++) await sleep(10);
  };

  test('a reboot keeps the id map', async () => {
    await place.runtime.start(spec);
    expect(await sh('touch /tmp/before && ls -ln /tmp/before')).toMatch(/ 0 +0 /);
    place.runtime.reboot(id);
    await until(() => stopped.length > 0);
    expect(stopped).toEqual([{ id, reboot: true }]);
    await place.runtime.start(spec);
    expect(await sh('touch /tmp/after && ls -ln /tmp/after')).toMatch(/ 0 +0 /);
    expect(readFileSync(`/proc/${String(place.runtime.initPid(id))}/uid_map`, 'utf8')).toMatch(/0 +1000000 +65536/);
  });
  test('a guest that powers itself off is told without a reboot', async () => {
    writeFileSync(path.join(place.rootfs, 'etc/turn-off'), '');
    await place.runtime.start(spec).catch(() => undefined);
    await until(() => place.runtime.status(id) === 'stopped');
    expect(stopped.every(event => !event.reboot)).toBe(true);
  });
  test('a daemon that was away is told when a guest ended meanwhile', async () => {
    const away = createPlace();
    await away.runtime.start(away.spec('c3'));
    const initPid = away.runtime.initPid('c3') ?? 0;
    await away.runtime.close();
    process.kill(initPid, 'SIGINT'); // this init reboots on it
    await until(() => existsSync(path.join(away.paths.run('c3'), 'target')) && !existsSync(`/proc/${String(initPid)}`));
    await sleep(500);
    const back = away.restarted();
    const told: StoppedEvent[] = [];
    back.onStopped(event => void told.push(event));
    expect(await back.adopt()).toEqual([]);
    await until(() => told.length > 0);
    expect(told).toEqual([{ id: 'c3', reboot: true }]);
    await back.close();
    await away.close();
  });
  test('the monitor has less than 1 MB of memory of its own', async () => {
    await place.runtime.start(spec);
    const record = await readRecord(place.paths.run(id));
    const rollup = readFileSync(`/proc/${String(record?.monitorPid)}/smaps_rollup`, 'utf8');
    const kilobytes = [...rollup.matchAll(/^Private_Dirty: +(\d+) kB$/gm)].reduce(
      (sum, match) => sum + Number(match[1]),
      0,
    );
    expect(kilobytes).toBeLessThan(1024);
  });
  test('any range of ids works, whatever /etc/subuid says', async () => {
    await place.runtime.start({ ...spec, idmap: { hostBase: 777_000_000, size: 65_536 } });
    expect(await sh('head -n 1 /proc/self/uid_map')).toMatch(/777000000/);
  });
  test('commands have the filter, the cgroups and the hostname of init', async () => {
    await place.runtime.start(spec);
    const status = (pid: string): Promise<string> => sh(`grep -E '^(Seccomp|NoNewPrivs)' /proc/${pid}/status`);
    expect(await status('self')).toBe(await status('1'));
    expect(await status('self')).toMatch(/^Seccomp:\s*2$/m);
    expect(await sh('cat /proc/sys/kernel/hostname')).toBe(id);
  });
  test('the filter of commands is the one of init', async () => {
    await place.runtime.start(spec);
    const filter = readFileSync(path.join(place.paths.seccomp, 'containers.bpf'));
    expect(filter.length % 8).toBe(0);
    expect(filter.length).toBeGreaterThan(100);
  });
  test('NICs come and go while it runs', async () => {
    await place.runtime.start({
      ...spec,
      nics: [{ kind: 'veth', hostName: 'ctt0', name: 'eth0', hardwareAddress: '00:16:3e:00:00:01' }],
    });
    await place.runtime.attachNic(id, {
      kind: 'veth',
      hostName: 'ctt1',
      name: 'eth1',
      hardwareAddress: '00:16:3e:00:00:02',
    });
    const names = (): readonly string[] => place.runtime.links(id).map(link => `${link.name} ${link.hardwareAddress}`);
    expect(names()).toEqual(['lo 00:00:00:00:00:00', 'eth0 00:16:3e:00:00:01', 'eth1 00:16:3e:00:00:02']);
    await place.runtime.detachNic(id, { kind: 'veth', hostName: 'ctt1', name: 'eth1' });
    expect(names()).toEqual(['lo 00:00:00:00:00:00', 'eth0 00:16:3e:00:00:01']);
  });
  test('mounts come at start and while it runs', async () => {
    const source = path.join(path.dirname(place.rootfs), 'shared folder');
    mkdirSync(source, { recursive: true });
    writeFileSync(path.join(source, 'file'), 'content');
    const mount = { source, target: '/mnt/disk one', kind: 'directory', idmapped: true } as const;
    await place.runtime.start({ ...spec, mounts: [{ ...mount, readOnly: true }] });
    expect(await sh('cat "/mnt/disk one/file"; touch "/mnt/disk one/new" 2>/dev/null || echo " read-only"')).toBe(
      'content read-only',
    );
    await place.runtime.attachMount(id, { ...mount, target: '/mnt/later' });
    expect(await sh('touch /mnt/later/new && cat /mnt/later/file')).toBe('content');
    await place.runtime.detachMount(id, '/mnt/later');
    expect(await sh('ls /mnt/later')).toBe('');
  });
  test('the console log has what init said, and can be cleared', async () => {
    await place.runtime.start(spec);
    for (let tries = 0; tries < 100 && (await place.runtime.consoleLog(id)).length === 0; tries++) await sleep(10);
    expect((await place.runtime.consoleLog(id)).toString()).toContain('init is up');
    await place.runtime.clearConsoleLog(id);
    expect((await place.runtime.consoleLog(id)).length).toBe(0);
  });
  test('a failed start says why and leaves no process, cgroup or run folder', async () => {
    const broken = { ...spec, rawConfig: 'lxc.init.cmd = /no/such/init' };
    await expect(place.runtime.start(broken)).rejects.toThrow(/init/);
    expect(Cgroups.detect().find(name => name.endsWith(`.${id}`))).toEqual([]);
    expect(existsSync(place.paths.run(id))).toBe(false);
    expect(place.runtime.status(id)).toBe('stopped');
  });
  test('a container whose monitor is killed ends as well', async () => {
    await place.runtime.start(spec);
    const record = await readRecord(place.paths.run(id));
    process.kill(record?.monitorPid ?? 0, 'SIGKILL');
    await until(() => stopped.length > 0);
    expect(processIdentity(record?.initPid ?? 0)).toBe(undefined);
    expect(Cgroups.detect().find(name => name.endsWith(`.${id}`))).toEqual([]);
  });
  test('six containers start at once', async () => {
    const ids = [1, 2, 3, 4, 5, 6].map(number => `many${String(number)}`);
    await Promise.all(ids.map(each => place.runtime.start({ ...spec, id: each })));
    expect(ids.map(each => place.runtime.status(each))).toEqual(ids.map(() => 'running'));
    await Promise.all(ids.map(each => place.runtime.kill(each)));
    expect(readdirSync(path.dirname(place.paths.run('x')))).toEqual([]);
  });
});
