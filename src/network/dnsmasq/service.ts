import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Lane } from '#base/lane.ts';
import type { Log } from '#base/log.ts';
import type { BridgeSettings } from '../bridge/settings.ts';
import { dnsmasqAccount } from './account.ts';
import { renderConfig } from './config-file.ts';
import { type DnsmasqLease, type HostEntry, parseHost, parseLeases } from './leases.ts';
import * as dnsmasq from './process.ts';

const firstDelayMs = 100;
const longestDelayMs = 30_000;
// one that has lived this long is taken for healthy: the next death is a first one again
const healthyMs = 10_000;

/** DHCP, DNS and router advertisements of one network: a dnsmasq that is kept alive. */
export class DnsmasqService {
  readonly #files: dnsmasq.DnsmasqFolder;
  readonly #processes: dnsmasq.Processes;
  readonly #network: string;
  readonly #log: Log;
  readonly #changes = new Lane(1);
  #running: dnsmasq.DnsmasqProcess | undefined;
  #stopWatching: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #deaths = 0;
  #digest: string | undefined;

  constructor(network: string, folder: string, processes: dnsmasq.Processes, log: Log) {
    this.#network = network;
    this.#files = dnsmasq.dnsmasqFolder(folder);
    this.#processes = processes;
    this.#log = log;
  }

  /** Has a dnsmasq with these settings running: the one that is there when it is right, else a new one. */
  async ensure(settings: BridgeSettings, options: { readonly restart?: boolean } = {}): Promise<void> {
    await this.#changes.run(() => this.#ensure(settings, options));
  }

  async #ensure(settings: BridgeSettings, options: { readonly restart?: boolean }): Promise<void> {
    const files = this.#files;
    const config = renderConfig(settings, files, await dnsmasqAccount());
    const raw = settings.rawDnsmasq === '' ? '' : `${settings.rawDnsmasq}\n`;
    const digest = dnsmasq.digestOf(config, raw);
    this.#letGo();
    const found = await dnsmasq.findDnsmasq(files);
    const right = found?.digest === digest && options.restart !== true && !(await dnsmasq.isStopped(found));
    if (found && !right) await dnsmasq.endDnsmasq(files, found);
    this.#digest = digest;
    if (found && right) {
      this.#watch(found);
      return;
    }
    await mkdir(files.folder, { recursive: true, mode: 0o711 });
    await mkdir(files.hosts, { recursive: true, mode: 0o755 });
    await writeFile(files.raw, raw, { mode: 0o644 });
    await writeFile(files.config, config, { mode: 0o644 });
    const closed = await dnsmasq.closedFolder(path.join(files.hosts, 'any'));
    if (closed !== undefined) {
      this.#log.warning(`dnsmasq cannot read the hosts of network "${this.#network}": others may not enter ${closed}`);
    }
    this.#watch(await dnsmasq.startDnsmasq(files, digest));
  }

  /** True when it runs and answers signals. */
  async healthy(): Promise<boolean> {
    return this.#running !== undefined && !(await dnsmasq.isStopped(this.#running));
  }

  /** Ends dnsmasq and keeps hosts and leases. */
  async stop(): Promise<void> {
    await this.#changes.run(async () => {
      this.release();
      const found = await dnsmasq.findDnsmasq(this.#files);
      if (found) await dnsmasq.endDnsmasq(this.#files, found);
      await rm(this.#files.pid, { force: true });
    });
  }

  /** Leaves dnsmasq to itself, for a daemon that ends. */
  release(): void {
    this.#letGo();
    this.#digest = undefined;
  }

  /** Publishes exactly these lines, by names that are unique on this host and path segments. */
  async setHosts(lines: ReadonlyMap<string, string>): Promise<void> {
    const folder = this.#files.hosts;
    const present: readonly string[] = await readdir(folder).catch(() => []);
    const gone = present.filter(name => !lines.has(name));
    let changed = gone.length > 0;
    for (const name of gone) await rm(path.join(folder, name), { force: true });
    for (const [name, line] of lines) {
      const file = path.join(folder, name);
      if (present.includes(name) && (await readFile(file, 'utf8').catch(() => '')) === line) continue;
      await mkdir(folder, { recursive: true, mode: 0o755 });
      await writeFile(file, line, { mode: 0o644 });
      changed = true;
    }
    if (changed) await this.#reload();
  }

  /** Lines as they stand, by name. */
  async hosts(): Promise<ReadonlyMap<string, HostEntry>> {
    const names = await readdir(this.#files.hosts).catch(() => []);
    const entries = await Promise.all(
      names.map(async name => {
        const entry = parseHost(await readFile(path.join(this.#files.hosts, name), 'utf8').catch(() => ''));
        return entry ? ([[name, entry]] as const) : [];
      }),
    );
    return new Map(entries.flat());
  }

  async leases(): Promise<readonly DnsmasqLease[]> {
    return parseLeases(await readFile(this.#files.leases, 'utf8').catch(() => ''));
  }

  async #reload(): Promise<void> {
    if (this.#running) await dnsmasq.reloadDnsmasq(this.#running);
  }

  #watch(running: dnsmasq.DnsmasqProcess): void {
    this.#running = running;
    this.#startedAt = performance.now();
    this.#stopWatching = dnsmasq.watchExit(this.#processes, running, () => this.#died());
  }

  #letGo(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#running = undefined;
  }

  #died(): void {
    const lived = performance.now() - this.#startedAt;
    this.#letGo();
    this.#deaths = lived >= healthyMs ? 1 : this.#deaths + 1;
    this.#log.warning(`dnsmasq of network "${this.#network}" has died; it is started again`, { deaths: this.#deaths });
    this.#startLater();
  }

  #startLater(): void {
    const digest = this.#digest;
    if (digest === undefined) return;
    const delay = Math.min(firstDelayMs * 2 ** Math.max(0, this.#deaths - 1), longestDelayMs);
    this.#timer = setTimeout(() => void this.#changes.run(() => this.#startAgain(digest)), delay);
    this.#timer.unref();
  }

  async #startAgain(digest: string): Promise<void> {
    if (this.#digest !== digest || this.#running) return;
    try {
      const running = await dnsmasq.startDnsmasq(this.#files, digest);
      if (this.#digest === digest) this.#watch(running);
    } catch (error) {
      this.#deaths += 1;
      this.#log.error(`Failed starting dnsmasq of network "${this.#network}" again`, { error });
      this.#startLater();
    }
  }
}
