import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse as parseYaml } from 'yaml';
import { ApiError, invalid } from '#api/error.ts';
import { poll } from '#base/retry.ts';
import type { Kernel } from '#native/kernel.ts';
import type { DnsmasqFiles } from './config-file.ts';

/** Files of one network's dnsmasq, named as tools around LXD expect them. */
export interface DnsmasqFolder extends DnsmasqFiles {
  readonly folder: string;
  readonly pid: string;
  readonly log: string;
}

export function dnsmasqFolder(folder: string): DnsmasqFolder {
  return {
    folder,
    config: path.join(folder, 'dnsmasq.conf'),
    hosts: path.join(folder, 'dnsmasq.hosts'),
    leases: path.join(folder, 'dnsmasq.leases'),
    raw: path.join(folder, 'dnsmasq.raw'),
    pid: path.join(folder, 'dnsmasq.pid'),
    log: path.join(folder, 'dnsmasq.log'),
  };
}

/** A dnsmasq that runs. The start time tells it from a later process with the same number. */
export interface DnsmasqProcess {
  readonly pid: number;
  /** clock ticks since boot (proc(5), stat, field 22) */
  readonly startTime: number;
  /** SHA-256 of the configuration that it was started with */
  readonly digest: string;
}

export type Processes = Pick<typeof Kernel, 'pidfdOpen' | 'pidfdSendSignal' | 'pidfdWatch'>;

export function digestOf(...texts: readonly string[]): string {
  return createHash('sha256').update(texts.join('\0')).digest('hex');
}

/** Starts a dnsmasq and waits until it answers: it binds its sockets first and gives up root after that. */
export async function startDnsmasq(files: DnsmasqFolder, digest: string): Promise<DnsmasqProcess> {
  await mkdir(files.hosts, { recursive: true, mode: 0o755 });
  const log = openSync(files.log, 'w', 0o600);
  let ended = false;
  let pid: number | undefined;
  try {
    // in a session of its own, so that it outlives the daemon
    const child = spawn('dnsmasq', ['--keep-in-foreground', `--conf-file=${files.config}`], {
      detached: true,
      stdio: ['ignore', 'ignore', log],
      env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
    });
    child.on('error', () => (ended = true));
    child.on('exit', () => (ended = true));
    child.unref();
    pid = child.pid;
  } finally {
    closeSync(log);
  }
  const ready = await poll(
    async () => (ended || pid === undefined ? false : (await isUnprivileged(pid)) ? true : undefined),
    { timeoutMs: 10_000, intervalMs: 10 },
  );
  const startTime = pid === undefined ? undefined : await startTimeOf(pid);
  if (ready !== true || pid === undefined || startTime === undefined) {
    if (pid !== undefined && !ended) process.kill(pid, 'SIGKILL');
    const words = await lastWords(files);
    if (words.includes(files.raw)) throw invalid('config.raw.dnsmasq', words.replaceAll(files.raw, 'it'));
    throw new ApiError('internal', `Failed starting dnsmasq: ${words}`);
  }
  const running = { pid, startTime, digest };
  await writePidFile(files, running);
  return running;
}

async function lastWords(files: DnsmasqFolder): Promise<string> {
  const text = (await readFile(files.log, 'utf8').catch(() => '')).trim();
  return text === '' ? 'it ended or did not become ready within 10 s' : text.replace(/\s*\n\s*/g, ' | ').slice(-500);
}

async function writePidFile(files: DnsmasqFolder, { pid, startTime, digest }: DnsmasqProcess): Promise<void> {
  const text = `name: dnsmasq\npid: ${String(pid)}\nstart_time: ${String(startTime)}\nconfig: ${digest}\n`;
  await writeFile(files.pid, text, { mode: 0o600 });
}

/** The dnsmasq that serves these files now, whoever started it; undefined when none does. */
export async function findDnsmasq(files: DnsmasqFolder): Promise<DnsmasqProcess | undefined> {
  const noted = await readPidFile(files);
  if (noted && (await isServing(noted.pid, files)) && (await startTimeOf(noted.pid)) === noted.startTime) return noted;
  // a daemon that was killed between the start and the note leaves one without a pid file
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || !(await isServing(pid, files))) continue;
    const startTime = await startTimeOf(pid);
    if (startTime !== undefined) return { pid, startTime, digest: '' };
  }
  return undefined;
}

async function readPidFile(files: DnsmasqFolder): Promise<DnsmasqProcess | undefined> {
  try {
    const noted = parseYaml(await readFile(files.pid, 'utf8')) as Readonly<Record<string, unknown>> | null;
    const { pid, start_time: startTime, config: digest } = noted ?? {};
    if (typeof pid !== 'number' || typeof startTime !== 'number' || !Number.isInteger(pid) || pid < 2) return undefined;
    return { pid, startTime, digest: typeof digest === 'string' ? digest : '' };
  } catch {
    return undefined;
  }
}

async function isServing(pid: number, files: DnsmasqFolder): Promise<boolean> {
  const words = (await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return path.basename(words[0] ?? '') === 'dnsmasq' && words.includes(`--conf-file=${files.config}`);
}

/** Undefined when the process is gone or only waits to be reaped. */
async function startTimeOf(pid: number): Promise<number | undefined> {
  const fields = await statFields(pid);
  return fields === undefined || fields[0] === 'Z' ? undefined : Number(fields[19]);
}

/** True when a signal has stopped the process: it is there and does not answer. */
export async function isStopped(running: DnsmasqProcess): Promise<boolean> {
  return ['T', 't'].includes((await statFields(running.pid))?.[0] ?? '');
}

async function statFields(pid: number): Promise<readonly string[] | undefined> {
  const text = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

async function isUnprivileged(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8').catch(() => '');
  return /^Uid:\t[1-9]/m.test(status);
}

/** Calls `onExit` once when the process ends; at once when it is gone already. Returns how to stop watching. */
export function watchExit(processes: Processes, running: DnsmasqProcess, onExit: () => void): () => void {
  let descriptor: number;
  try {
    descriptor = processes.pidfdOpen(running.pid);
  } catch {
    const timer = setImmediate(onExit);
    return () => clearImmediate(timer);
  }
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    watch.stop();
    closeSync(descriptor);
  };
  const watch = processes.pidfdWatch(descriptor, () => {
    close();
    onExit();
  });
  return close;
}

/** Has dnsmasq read its host files again. */
export async function reloadDnsmasq(running: DnsmasqProcess): Promise<void> {
  await signal(running, 'SIGHUP');
}

/** Ends a dnsmasq; by force when it does not end by itself. Succeeds when it is gone. */
export async function endDnsmasq(files: DnsmasqFolder, running: DnsmasqProcess): Promise<void> {
  await signal(running, (await isStopped(running)) ? 'SIGKILL' : 'SIGTERM');
  const gone = async (): Promise<true | undefined> =>
    (await startTimeOf(running.pid)) === running.startTime ? undefined : true;
  if (!(await poll(gone, { timeoutMs: 3000, intervalMs: 10 }))) {
    await signal(running, 'SIGKILL');
    await poll(gone, { timeoutMs: 3000, intervalMs: 10 });
  }
  await rm(files.pid, { force: true });
  await sleep(0); // lets Node reap the child before anybody counts processes
}

async function signal(running: DnsmasqProcess, name: NodeJS.Signals): Promise<void> {
  if ((await startTimeOf(running.pid)) !== running.startTime) return;
  try {
    process.kill(running.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The first folder on the way to a file that unprivileged users may not enter; undefined when all is well. */
export async function closedFolder(file: string): Promise<string | undefined> {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return folder;
    if (folder === path.dirname(folder)) return undefined;
  }
}
