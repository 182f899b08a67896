import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { type Output, runProgram } from '../harness/run-program.ts';

/** Debian's LXD with a state directory of its own, driven by its own client. */
export class StockDaemon {
  readonly directory = mkdtempSync('/tmp/lxdl-stock-');
  readonly bridge = `ls${randomBytes(3).toString('hex')}`;
  readonly #environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: path.join(this.directory, 'home'),
    LANG: 'C.UTF-8',
    LXD_DIR: this.directory,
    LXD_CONF: path.join(this.directory, 'lxc'),
  };
  #process: ChildProcess | undefined;

  async start(): Promise<void> {
    const options = { env: this.#environment, stdio: 'ignore' } as const;
    this.#process = spawn('lxd', ['--group', 'root', '--logfile', path.join(this.directory, 'daemon.log')], options);
    const ready = await runProgram('lxd', ['waitready', '--timeout=60'], { env: this.#environment });
    if (ready.status !== 0) throw new Error(`Stock LXD did not get ready: ${ready.stderr}`);
  }

  async lxc(args: readonly string[], input?: string): Promise<Output> {
    return await runProgram('lxc', ['--quiet', ...args], {
      env: this.#environment,
      ...(input !== undefined && { input }),
    });
  }

  /** Deletes everything, ends the daemon and removes its directory. */
  async destroy(): Promise<void> {
    const names = async (...list: readonly string[]): Promise<readonly string[]> =>
      (await this.lxc([...list, '--format', 'csv'])).stdout.split('\n').flatMap(line => line.split(',')[0] || []);
    for (const name of await names('list', '-c', 'n')) await this.lxc(['delete', '--force', name]);
    for (const hash of await names('image', 'list', '-c', 'f')) await this.lxc(['image', 'delete', hash]);
    await this.lxc(['profile', 'edit', 'default'], 'config: {}\ndevices: {}\n');
    await this.lxc(['network', 'delete', this.bridge]);
    for (const name of await names('storage', 'list')) await this.lxc(['storage', 'delete', name]);
    const ended = new Promise(resolve => this.#process?.once('exit', resolve));
    await runProgram('lxd', ['shutdown', '--timeout=30'], { env: this.#environment });
    await ended;
    await removeEmptyTable();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** LXD leaves its firewall table behind; one with chains is another LXD's. */
async function removeEmptyTable(): Promise<void> {
  const env = { PATH: process.env['PATH'] ?? '' };
  for (const family of ['inet', 'bridge']) {
    const { stdout } = await runProgram('nft', ['list', 'table', family, 'lxd'], { env });
    if (stdout !== '' && !stdout.includes('chain'))
      await runProgram('nft', ['delete', 'table', family, 'lxd'], { env });
  }
}
