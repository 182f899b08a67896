import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { installRoot } from '#base/install-root.ts';

/** What tests could leave behind on a host: each a list of lines. Loop devices count by the files of test daemons. */
export interface HostState {
  readonly mounts: readonly string[];
  readonly links: readonly string[];
  readonly firewall: readonly string[];
  readonly loopDevices: readonly string[];
  readonly processes: readonly string[];
  readonly cgroups: readonly string[];
}

const ownFolders: string[] = [];

/** Names a folder whose files loop devices may be made of while tests run: those of other programs are not ours. */
export function watchLoopFiles(folder: string): void {
  ownFolders.push(folder);
}

export function hostState(): HostState {
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map(line => line.split(' ')[4] ?? '')
      .filter(Boolean)
      .sort(),
    links: readdirSync('/sys/class/net').sort(),
    firewall: firewallTables(),
    loopDevices: boundLoopDevices(),
    processes: ownProcesses(),
    cgroups: ownCgroups(),
  };
}

/** Lines that are in `after` and were not in `before`, as "kind: line". */
export function leftovers(before: HostState, after: HostState): readonly string[] {
  const left: string[] = [];
  for (const kind of Object.keys(before) as (keyof HostState)[]) {
    const known = new Set(before[kind]);
    left.push(...after[kind].filter(line => !known.has(line)).map(line => `${kind}: ${line}`));
  }
  return left;
}

function firewallTables(): readonly string[] {
  return execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).split('\n').filter(Boolean).sort();
}

function boundLoopDevices(): readonly string[] {
  return execFileSync('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], { encoding: 'utf8' })
    .split('\n')
    .filter(line => ownFolders.some(folder => line.includes(folder)))
    .sort();
}

/** Programs of this very checkout, and the DHCP servers of test daemons. */
function ownProcesses(): readonly string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
        const ours = words.includes(`${installRoot}/native/build/`) || words.includes(`${installRoot}/dist/`);
        return ours || /dnsmasq .*\/tmp\/lxdl-/.test(words) ? [`${pid} ${words}`] : [];
      } catch {
        return []; // ended meanwhile, or a kernel thread
      }
    });
}

function ownCgroups(): readonly string[] {
  const roots = ['/sys/fs/cgroup', ...hierarchies('/sys/fs/cgroup')];
  return roots.flatMap(root =>
    hierarchies(root)
      .filter(folder => /\/lxd-like[.-]/.test(folder) && !/pivot/.test(folder))
      .sort(),
  );
}

function hierarchies(root: string): readonly string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => `${root}/${entry.name}`);
  } catch {
    return [];
  }
}
