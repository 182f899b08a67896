import { release } from 'node:os';
import { CommandError, runCommand } from '#base/run-command.ts';
import type { CheckpointSupport } from './runtime.ts';

const checkTimeoutMs = 30_000;

/** Finds out whether CRIU can keep the state of processes on this host. It takes some hundred milliseconds. */
export async function criuSupport(unifiedCgroups: boolean): Promise<CheckpointSupport> {
  const version = await criuVersion();
  if (version === undefined)
    return { obstacle: 'CRIU is not installed; install the package "criu"', tracksMemory: false };
  if (!unifiedCgroups)
    return {
      version,
      obstacle: 'the host has hierarchies of cgroup v1, which CRIU is not used with',
      tracksMemory: false,
    };
  // Versions before 3.19 read the layout of their own vDSO, which kernels from 6.13 on have changed: not even this runs.
  if (!(await succeeds('check')))
    return { version, obstacle: `CRIU ${version} does not work with kernel ${release()}`, tracksMemory: false };
  return { version, tracksMemory: await succeeds('check', '--feature', 'mem_dirty_track') };
}

async function criuVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await runCommand('criu', ['--version'], { timeoutMs: checkTimeoutMs });
    return /^Version: (\S+)$/m.exec(stdout)?.[1] ?? 'of unknown version';
  } catch (error) {
    if (error instanceof CommandError && error.status !== undefined) return 'of unknown version';
    return undefined;
  }
}

async function succeeds(...args: readonly string[]): Promise<boolean> {
  return await runCommand('criu', args, { timeoutMs: checkTimeoutMs }).then(
    () => true,
    () => false,
  );
}
