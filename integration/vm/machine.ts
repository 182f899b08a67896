import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { installRoot } from '#base/install-root.ts';
import { runCommand } from '#base/run-command.ts';
import { type GuestImage, makeDisk } from './image.ts';

export interface Job {
  /** shell command, run as root in the working tree */
  readonly command: string;
  /** folder that gets what the command left in $RESULTS, and the kernel's console as `console.log` */
  readonly results: string;
  /** seconds until the machine is switched off */
  readonly timeoutSeconds: number;
  /** switches the guest off early */
  readonly signal: AbortSignal;
}

const memoryMiB = 3072;
const resultBytes = 512 * 2 ** 20;
const emulation = 'tcg,thread=multi,tb-size=1024';
const kvmProbeMs = 5000;

/**
 * Boots a fresh guest, runs the job with the working tree at /tree, and switches it off. Output goes to `onOutput` as
 * it comes. Returns the command's exit status; throws when there is none.
 */
export async function runJob(image: GuestImage, job: Job, onOutput: (text: string) => void): Promise<number> {
  const work = await mkdtemp(path.join(os.tmpdir(), 'lxd-like-vm-'));
  try {
    await mkdir(job.results, { recursive: true });
    await prepareDisks(work, job.command);
    const accelerator = (await kvmWorks(image, work)) ? 'kvm' : emulation;
    onOutput(`The guest runs with ${accelerator.replace(/,.*/, '')}\n`);
    const guest = start(image, { accelerator, work, results: job.results });
    const off = (): void => void guest.kill('SIGKILL');
    const timer = setTimeout(off, job.timeoutSeconds * 1000);
    job.signal.addEventListener('abort', off, { once: true });
    if (job.signal.aborted) off();
    guest.stdout?.setEncoding('utf8').on('data', (text: string) => onOutput(text.replaceAll('\r', '')));
    const problems = await ended(guest).finally(() => clearTimeout(timer));
    return await readStatus(work, job.results, problems);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Disks b, c and d of the guest: node and the command, the working tree, room for results. */
async function prepareDisks(work: string, command: string): Promise<void> {
  const job = path.join(work, 'job');
  await mkdir(job);
  await copyFile(process.execPath, path.join(job, 'node'));
  await writeFile(path.join(job, 'command'), `${command}\n`);
  await makeDisk(job, path.join(work, 'job.img'), '256M');
  await makeDisk(installRoot, path.join(work, 'tree.img'), '8G');
  await writeFile(path.join(work, 'results.img'), '');
  await truncate(path.join(work, 'results.img'), resultBytes);
}

interface Boot {
  readonly accelerator: string;
  readonly work: string;
  readonly results: string;
}

function start(image: GuestImage, { accelerator, work, results }: Boot): ChildProcess {
  const disk = (file: string, options = ''): string[] => [
    '-drive',
    `file=${file},format=raw,if=virtio,cache=unsafe${options}`,
  ];
  return runQemu([
    ...machine(image, accelerator),
    ...disk(image.root, ',snapshot=on'),
    ...disk(path.join(work, 'job.img'), ',readonly=on'),
    ...disk(path.join(work, 'tree.img')),
    ...disk(path.join(work, 'results.img')),
    ...['-serial', `file:${path.join(results, 'console.log')}`],
    ...['-chardev', 'stdio,id=output,signal=off', '-serial', 'chardev:output'],
    ...['-serial', `file:${path.join(work, 'status')}`],
    ...['-device', 'virtio-rng-pci'],
  ]);
}

function machine(image: GuestImage, accelerator: string): readonly string[] {
  const cores = String(Math.min(4, os.availableParallelism()));
  return [
    ...['-machine', 'q35', '-accel', accelerator, '-cpu', accelerator === 'kvm' ? 'host' : 'max', '-smp', cores],
    ...['-m', String(memoryMiB), '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', image.kernel, '-initrd', image.initrd],
    ...['-append', 'root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet mitigations=off audit=0 panic=-1'],
  ];
}

/** The guest ends with this process, whatever ends that. */
function runQemu(args: readonly string[]): ChildProcess {
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  return spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], { stdio: [...stdio] });
}

/** Some hosts offer KVM that never gets a guest going: only a kernel that says something counts. */
async function kvmWorks(image: GuestImage, work: string): Promise<boolean> {
  if (!(await stat('/dev/kvm').catch(() => undefined))) return false;
  const console = path.join(work, 'probe');
  const quiet = machine(image, 'kvm').map(word => word.replace(' quiet', ''));
  const probe = runQemu([...quiet, '-serial', `file:${console}`]);
  const over = ended(probe);
  const end = performance.now() + kvmProbeMs;
  let said = false;
  while (!said && probe.exitCode === null && performance.now() < end) {
    await new Promise(resolve => setTimeout(resolve, 100));
    said = (await readFile(console, 'utf8').catch(() => '')).includes('Linux version');
  }
  probe.kill('SIGKILL');
  await over;
  return said;
}

/** What the program wrote to standard error. */
async function ended(child: ChildProcess): Promise<string> {
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(errors));
  });
}

async function readStatus(work: string, results: string, problems: string): Promise<number> {
  const status = (await readFile(path.join(work, 'status'), 'utf8').catch(() => '')).trim();
  if (!/^\d+$/.test(status)) {
    const said = await readFile(path.join(results, 'console.log'), 'utf8').catch(() => '');
    const last = said.trim().split('\n').slice(-20).join('\n');
    throw new Error(`The guest ended without a status. ${problems}\nIts console said last:\n${last}`);
  }
  await runCommand('tar', ['-xf', path.join(work, 'results.img'), '-C', results], { timeoutMs: 120_000 });
  return Number(status);
}
