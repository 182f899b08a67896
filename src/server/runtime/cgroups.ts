import { readdirSync, readFileSync, rmdirSync } from 'node:fs';
import path from 'node:path';

/** One mounted cgroup hierarchy. */
export interface Hierarchy {
  readonly mountPoint: string;
  readonly version: 1 | 2;
  /** v1: what it counts, such as ["cpu", "cpuacct"] or ["name=systemd"]; v2: its controllers */
  readonly controllers: readonly string[];
}

/** Where a controller is and how its files are called there. */
export interface Place {
  readonly directory: string;
  readonly version: 1 | 2;
}

/** The host's cgroup hierarchies: v1, v2 or both side by side (hybrid). */
export class Cgroups {
  readonly hierarchies: readonly Hierarchy[];

  constructor(hierarchies: readonly Hierarchy[]) {
    this.hierarchies = hierarchies;
  }

  /** Reads what this host has mounted. */
  static detect(): Cgroups {
    return new Cgroups(parseMounts(readFileSync('/proc/self/mounts', 'utf8'), readControllers));
  }

  /** True when all controllers are in the one v2 hierarchy. */
  get unified(): boolean {
    return this.hierarchies.every(hierarchy => hierarchy.version === 2);
  }

  /** Version of the hierarchy that a controller is in; undefined when the kernel lacks it. */
  versionOf(controller: string): 1 | 2 | undefined {
    return this.hierarchies.find(hierarchy => hierarchy.controllers.includes(controller))?.version;
  }

  /**
   * Directories of the cgroup named `name` that process `pid` is in or below, one per hierarchy. The guest may have
   * moved its init deeper.
   */
  directoriesOf(pid: number, name: string): ReadonlyMap<Hierarchy, string> {
    const found = new Map<Hierarchy, string>();
    for (const line of readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8').split('\n')) {
      const [number, names, ...rest] = line.split(':');
      const hierarchy = this.hierarchies.find(({ version, controllers }) =>
        number === '0' ? version === 2 : version === 1 && controllers.includes((names ?? '').split(',')[0] ?? ''),
      );
      const parts = rest.join(':').split('/');
      const at = parts.indexOf(name);
      if (hierarchy && at >= 0) found.set(hierarchy, path.join(hierarchy.mountPoint, ...parts.slice(0, at + 1)));
    }
    return found;
  }

  /** What follows `prefix` in the name of the outermost cgroup so called that a process is in. */
  nameOf(pid: number, prefix: string): string | undefined {
    for (const line of readFileSync(`/proc/${String(pid)}/cgroup`, 'utf8').split('\n')) {
      const parts = line.split(':').slice(2).join(':').split('/');
      const name = parts.find(part => part.startsWith(prefix));
      if (name !== undefined) return name.slice(prefix.length);
    }
    return undefined;
  }

  /** Directories of cgroups whose name passes, at the place below which liblxc makes them (the cgroup of pid 1). */
  find(passes: (name: string) => boolean): readonly string[] {
    return this.hierarchies.flatMap(hierarchy => {
      const folder = path.join(hierarchy.mountPoint, this.#basePath(hierarchy));
      return subdirectories(folder)
        .filter(passes)
        .map(name => path.join(folder, name));
    });
  }

  /** Where liblxc makes a cgroup on hosts with v2 alone, and the same from the root of the hierarchy. */
  unifiedPlace(name: string): { readonly directory: string; readonly root: string } {
    const hierarchy = this.hierarchies.find(({ version }) => version === 2);
    const root = path.join('/', hierarchy ? this.#basePath(hierarchy) : '', name);
    return { directory: path.join(hierarchy?.mountPoint ?? '/sys/fs/cgroup', root), root };
  }

  #basePath(hierarchy: Hierarchy): string {
    for (const line of readFileSync('/proc/1/cgroup', 'utf8').split('\n')) {
      const [number, names, ...rest] = line.split(':');
      const mine =
        hierarchy.version === 2
          ? number === '0'
          : number !== '0' && hierarchy.controllers.includes((names ?? '').split(',')[0] ?? '');
      if (mine) return rest.join(':').replace(/\/init\.scope$/, '');
    }
    return '/';
  }
}

/** Finds the hierarchies in the text of /proc/self/mounts. */
export function parseMounts(mounts: string, controllersOf: (mountPoint: string) => readonly string[]): Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const line of mounts.split('\n')) {
    const [, mountPoint = '', type, options = ''] = line.split(' ');
    if (!mountPoint.startsWith('/sys/fs/cgroup')) continue;
    if (type === 'cgroup2') found.push({ mountPoint, version: 2, controllers: controllersOf(mountPoint) });
    if (type === 'cgroup') found.push({ mountPoint, version: 1, controllers: options.split(',').slice(1) });
  }
  return found;
}

function readControllers(mountPoint: string): readonly string[] {
  const names = readFileSync(path.join(mountPoint, 'cgroup.controllers'), 'utf8').trim();
  // The freezer of v2 is no controller: every cgroup has it.
  return names ? [...names.split(' '), 'freezer'] : [];
}

/** Pids in a cgroup and all below it; empty when it is gone. */
export function processesIn(directory: string): number[] {
  try {
    const own = readFileSync(path.join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    return [...own, ...subdirectories(directory).flatMap(name => processesIn(path.join(directory, name)))];
  } catch {
    return [];
  }
}

/** Removes a cgroup and those below it as far as they have no processes. */
export function removeCgroup(directory: string): void {
  for (const name of subdirectories(directory)) removeCgroup(path.join(directory, name));
  try {
    rmdirSync(directory);
  } catch {
    // gone already, or still in use
  }
}

function subdirectories(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name);
  } catch {
    return [];
  }
}
