import { setTimeout as sleep } from 'node:timers/promises';
import { processesIn, removeCgroup, type Cgroups } from './cgroups.ts';
import { cgroupName } from './lxc-config.ts';

/** Milliseconds that processes get to end by themselves, and then to be gone after they were killed. */
const patienceMs = 100;
const deadlineMs = 5_000;
const pollMs = 5;

/** Waits for what a container that ended, or never started, has left in its cgroups; kills what stays; removes them. */
export async function clearCgroups(cgroups: Cgroups, brand: string, id: string): Promise<void> {
  const own = [cgroupName(brand, 'container', id), cgroupName(brand, 'monitor', id)];
  const begun = Date.now();
  for (;;) {
    const directories = cgroups.find(name => own.includes(name));
    const left = directories.flatMap(processesIn);
    const waited = Date.now() - begun;
    if (left.length === 0 || waited > deadlineMs) return directories.forEach(removeCgroup);
    if (waited > patienceMs) left.forEach(kill);
    await sleep(pollMs);
  }
}

/** Removes the cgroups that liblxc parked itself in while it cleaned up, and leaves behind. */
export function clearPivots(cgroups: Cgroups, brand: string): void {
  const pivot = cgroupName(brand, 'monitor.pivot', '');
  cgroups.find(name => name === pivot).forEach(removeCgroup);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone meanwhile
  }
}
