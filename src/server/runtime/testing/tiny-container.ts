import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { chownSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { NamespaceTarget } from '../namespace-server.ts';
import type { Idmap } from '../runtime.ts';

/** Ids of the test's containers on the host. */
export const testIdmap: Idmap = { hostBase: 1_000_000, size: 65_536 };
const hierarchies = '/sys/fs/cgroup';
const seccompPolicy = '/usr/share/lxc/config/common.seccomp';
const init = `#!/bin/sh
trap 'exit 0' PWR TERM
while :; do sleep 1000 & wait $!; done
`;

/** A running container with busybox for contract tests, started by liblxc's own tool. */
export interface TinyContainer {
  readonly id: string;
  readonly rootfs: string;
  readonly target: NamespaceTarget;
  /** A file outside the container that nothing in it may reach. */
  readonly secret: string;
  setFrozen(frozen: boolean): void;
  stop(): void;
  [Symbol.dispose](): void;
}

/** A root file system of busybox, with ids as the guest sees them. */
export function createTinyRootfs(rootfs: string): void {
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'tmp', 'root', 'etc', 'run']) {
    mkdirSync(path.join(rootfs, folder), { recursive: true, mode: 0o755 });
  }
  chmodSync(rootfs, 0o755);
  chmodSync(path.join(rootfs, 'tmp'), 0o1777);
  copyFileSync('/bin/busybox', path.join(rootfs, 'bin/busybox'));
  const applets = 'sh ls cat id env tty stty sleep head dd wc stat kill touch mkfifo mknod grep readlink true yes ln';
  for (const applet of applets.split(' ')) symlinkSync('busybox', path.join(rootfs, 'bin', applet));
  writeFileSync(path.join(rootfs, 'init'), init, { mode: 0o755 });
  writeFileSync(path.join(rootfs, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
}

export function startTinyContainer(): TinyContainer {
  const folder = mkdtempSync('/var/tmp/tiny-container-');
  chmodSync(folder, 0o755);
  const id = `tiny${String(process.pid)}`;
  const rootfs = path.join(folder, 'rootfs');
  const secret = path.join(folder, 'secret');
  createTinyRootfs(rootfs);
  writeFileSync(secret, 'secret of the host');
  const config = path.join(folder, 'config');
  writeFileSync(config, lxcConfig(id, rootfs));
  const run = (tool: string, ...args: readonly string[]): string =>
    // Without newuidmap on PATH liblxc writes the id maps itself.
    execFileSync(tool, ['-P', folder, '-n', id, ...args], { encoding: 'utf8', env: { PATH: '/nowhere' } });
  run('/usr/bin/lxc-start', '-f', config);
  const initPid = Number(run('/usr/bin/lxc-info', '-pH'));
  const filter = path.join(folder, 'filter');
  writeFileSync(filter, Buffer.from('060000000000ff7f', 'hex')); // BPF_RET|BPF_K, SECCOMP_RET_ALLOW
  const stop = (): void => {
    if (existsSync(`/proc/${String(initPid)}`)) run('/usr/bin/lxc-stop', '-k');
  };
  return {
    id,
    rootfs,
    secret,
    target: {
      initPid,
      startTime: startTimeOf(initPid),
      cgroups: cgroupsOf(initPid),
      seccompFilter: filter,
      idmap: testIdmap,
    },
    setFrozen: frozen => setFrozen(cgroupsOf(initPid), frozen),
    stop,
    [Symbol.dispose]: () => {
      stop();
      rmSync(folder, { recursive: true, force: true });
      for (const controller of ['', 'unified']) removeEmpty(path.join(hierarchies, controller, 'lxc.pivot'));
    },
  };
}

export function startTimeOf(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}

/** Makes a tree belong to the container's root, for file systems that cannot map ids. */
export function giveToGuest(file: string, uid = 0): void {
  chownSync(file, testIdmap.hostBase + uid, testIdmap.hostBase + uid);
}

function lxcConfig(id: string, rootfs: string): string {
  return [
    `lxc.uts.name = ${id}`,
    `lxc.rootfs.path = dir:${rootfs}`,
    'lxc.rootfs.options = idmap=container',
    `lxc.idmap = u 0 ${String(testIdmap.hostBase)} ${String(testIdmap.size)}`,
    `lxc.idmap = g 0 ${String(testIdmap.hostBase)} ${String(testIdmap.size)}`,
    'lxc.mount.auto = proc:rw sys:rw cgroup:mixed',
    'lxc.autodev = 1',
    'lxc.pty.max = 1024',
    'lxc.tty.max = 0',
    'lxc.init.cmd = /init',
    'lxc.net.0.type = empty',
    'lxc.apparmor.profile = unconfined',
    ...(existsSync(seccompPolicy) ? [`lxc.seccomp.profile = ${seccompPolicy}`] : []),
    '',
  ].join('\n');
}

/** Directories of a process in each hierarchy, on hosts with v1, v2 or both. */
function cgroupsOf(pid: number): readonly string[] {
  const lines = readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8')
    .trim()
    .split('\n');
  const hybrid = existsSync(path.join(hierarchies, 'unified'));
  return lines.map(line => {
    const [, controllers = '', ...rest] = line.split(':');
    const place = rest.join(':').replace(/\/(init|\.lxc)$/, '');
    const hierarchy = controllers === '' ? (hybrid ? 'unified' : '') : controllers.replace(/^name=/, '');
    return path.join(hierarchies, hierarchy, place);
  });
}

function setFrozen(cgroups: readonly string[], frozen: boolean): void {
  for (const folder of cgroups) {
    const state = path.join(folder, 'freezer.state');
    if (existsSync(state)) return writeFileSync(state, frozen ? 'FROZEN' : 'THAWED');
  }
  writeFileSync(path.join(cgroups.at(-1) ?? '', 'cgroup.freeze'), frozen ? '1' : '0');
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // not there, or another container uses it
  }
}
