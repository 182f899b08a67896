import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from '#api/error.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import type { ContainerSpec } from './runtime.ts';

const parserPlaces = ['/usr/sbin/apparmor_parser', '/sbin/apparmor_parser'];
const switchFile = '/sys/module/apparmor/parameters/enabled';

type Confined = Pick<ContainerSpec, 'id' | 'idmap' | 'rawApparmor'>;

/**
 * AppArmor profiles of containers, on hosts that have AppArmor: one for each, with a name of its own, loaded while the
 * container runs.
 */
export class ApparmorProfiles {
  readonly #folder: string;
  readonly #brand: string;
  readonly #enabled: boolean;

  /** `folder` keeps the profiles as text and, beside them, as the parser has compiled them. */
  constructor(folder: string, brand: string) {
    this.#folder = folder;
    this.#brand = brand;
    this.#enabled = isEnabled() && parserPlaces.some(place => existsSync(place));
  }

  /** Loads the profile of a container; returns its name, or "unconfined" on a host without AppArmor. */
  async load(spec: Confined): Promise<string> {
    if (!this.#enabled) return 'unconfined';
    const name = `${this.#brand}-${spec.id}`;
    const file = this.#file(spec.id);
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await mkdir(this.#cache, { recursive: true, mode: 0o700 });
    await writeFile(file, renderProfile(name, spec), { mode: 0o600 });
    try {
      await runCommand('apparmor_parser', ['--replace', '--write-cache', `--cache-loc=${this.#cache}`, file]);
    } catch (error) {
      const reason =
        error instanceof CommandError && spec.rawApparmor ? ': are the lines of "raw.apparmor" right?' : '';
      throw new ApiError('failed-precondition', `Failed loading the AppArmor profile of "${spec.id}"${reason}`, {
        cause: error,
      });
    }
    return name;
  }

  /** Succeeds when the profile is not loaded. */
  async unload(id: string): Promise<void> {
    const file = this.#file(id);
    if (!this.#enabled || !existsSync(file)) return;
    await runCommand('apparmor_parser', ['--remove', file]).catch((error: unknown) => {
      if (!(error instanceof CommandError) || !/doesn't exist|not found/i.test(error.stderr)) throw error;
    });
    await rm(file, { force: true });
    for (const name of await readdir(this.#cache, { recursive: true }))
      if (path.basename(name) === path.basename(file)) await rm(path.join(this.#cache, name), { force: true });
  }

  #file(id: string): string {
    return path.join(this.#folder, 'profiles', `${this.#brand}-${id}`);
  }

  get #cache(): string {
    return path.join(this.#folder, 'cache');
  }
}

function isEnabled(): boolean {
  try {
    return readFileSync(switchFile, 'utf8').startsWith('Y');
  } catch {
    return false;
  }
}

/** What root of the host must not let any container do: it has no id map between itself and these. */
const privilegedRules = `
  deny mount fstype=configfs,
  deny mount fstype=debugfs,
  deny mount fstype=efivarfs,
  deny mount fstype=securityfs,
  deny mount fstype=tracefs,
  deny /proc/sys/fs/** wklx,
  deny /proc/sys/vm/** wklx,
  deny /proc/sys/kernel/{core_pattern,kexec_load_disabled,modprobe,modules_disabled,poweroff_cmd,sysrq} wklx,
  deny /sys/{block,bus,class,dev,devices,firmware,module,power}/** wklx,
  deny /sys/fs/[^c]*/** wklx,
`;

/** A profile as apparmor_parser(8) reads it (apparmor.d(5)); it includes nothing, so that it needs no files of the host. */
export function renderProfile(name: string, { idmap, rawApparmor }: Omit<Confined, 'id'>): string {
  // Names are checked at every door; a quote would end the profile's.
  if (!/^[\w.-]+$/.test(name)) throw new Error(`"${name}" cannot be the name of a profile`);
  const own = rawApparmor
    ?.split('\n')
    .map(line => `  ${line.trim()}`)
    .join('\n');
  return `profile "${name}" flags=(attach_disconnected,mediate_deleted) {
  capability,
  dbus,
  file,
  mount,
  network,
  pivot_root,
  umount,
  unix,

  signal (receive),
  signal peer="${name}",
  signal peer="${name}//*",
  ptrace (readby, tracedby),
  ptrace peer="${name}",
  ptrace peer="${name}//*",

  deny /proc/{kcore,kmem,mem,sysrq-trigger} rwklx,
  deny /proc/acpi/** rwklx,
  deny /sys/firmware/efi/efivars/** rwklx,
  deny /sys/kernel/debug/** wklx,
  deny /sys/kernel/security/** wklx,
  deny /sys/kernel/tracing/** wklx,
${idmap ? '' : privilegedRules}${own ? `\n${own}\n` : ''}}
`;
}
