import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { poll } from '#base/retry.ts';
import { CommandError, runCommand } from '#base/run-command.ts';

/** A network namespace that stands for a container; a sleeping process holds it. */
export class Guest {
  readonly pid: number;
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess, pid: number) {
    this.#holder = holder;
    this.pid = pid;
  }

  static async create(): Promise<Guest> {
    const holder = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' });
    const { pid } = holder;
    if (pid === undefined) throw new Error('Failed starting unshare');
    const own = await readlink('/proc/self/ns/net');
    const entered = async (): Promise<true | undefined> =>
      (await readlink(`/proc/${String(pid)}/ns/net`).catch(() => own)) === own ? undefined : true;
    if (!(await poll(entered, { timeoutMs: 5000, intervalMs: 10 }))) throw new Error('No namespace was made');
    const guest = new Guest(holder, pid);
    await guest.run('ip', 'link', 'set', 'lo', 'up');
    return guest;
  }

  /** Standard output of a program run in the namespace. */
  async run(...words: readonly string[]): Promise<string> {
    const args = ['--target', String(this.pid), '--net', ...words];
    return (await runCommand('nsenter', args, { timeoutMs: 30_000 })).stdout;
  }

  /** True when the program succeeds within the time. */
  async succeeds(timeoutMs: number, ...words: readonly string[]): Promise<boolean> {
    const attempt = async (): Promise<true | undefined> => {
      try {
        await this.run(...words);
        return true;
      } catch (error) {
        if (error instanceof CommandError) return undefined;
        throw error;
      }
    };
    return (await poll(attempt, { timeoutMs, intervalMs: 200 })) === true;
  }

  /** Asks for a lease as a container does, and configures the link with it; returns what the server offered. */
  async requestLease(link: string, hostName: string): Promise<Readonly<Record<string, string>>> {
    const folder = await mkdtemp(path.join(tmpdir(), 'guest-'));
    const script = path.join(folder, 'lease');
    try {
      await writeFile(
        script,
        '#!/bin/sh\n[ "$1" = bound ] || exit 0\nip address add "$ip/$mask" dev "$interface"\n' +
          '[ -z "$router" ] || ip route replace default via "$router"\n' +
          `env > ${folder}/env\n`,
      );
      await chmod(script, 0o755);
      const flags = ['-f', '-n', '-q', '-t', '10', '-T', '1', '-i', link, '-s', script, '-x', `hostname:${hostName}`];
      await this.run('busybox', 'udhcpc', ...flags);
      const lines = (await readFile(path.join(folder, 'env'), 'utf8')).split('\n');
      return Object.fromEntries(lines.map(line => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  /** Addresses of a link, as the kernel lists them. */
  async addresses(link: string, family: 4 | 6): Promise<readonly string[]> {
    const json = await this.run('ip', '-j', `-${String(family)}`, 'address', 'show', 'dev', link, 'scope', 'global');
    const links = JSON.parse(json) as readonly { readonly addr_info?: readonly { readonly local?: string }[] }[];
    return links.flatMap(({ addr_info: infos = [] }) => infos.flatMap(({ local }) => local ?? []));
  }

  async end(): Promise<void> {
    const ended = once(this.#holder, 'exit');
    if (this.#holder.exitCode === null && this.#holder.kill('SIGKILL')) await ended;
  }
}
