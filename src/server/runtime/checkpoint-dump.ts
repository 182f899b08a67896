import { readFile } from 'node:fs/promises';
import { ApiError } from '#api/error.ts';
import { unescapeMountField } from '#base/mount-fields.ts';
import { CommandError, runCommand } from '#base/run-command.ts';
import { criuLogFile, type CheckpointPlaces } from './checkpoint-places.ts';
import { criuErrors } from './criu-errors.ts';

/** Milliseconds that writing the state of a container may take: some gigabytes of memory on a slow disk. */
const dumpDeadlineMs = 15 * 60_000;

export interface Dump {
  readonly id: string;
  readonly initPid: number;
  /** folder for the images */
  readonly folder: string;
  readonly places: CheckpointPlaces;
  readonly goesOn: boolean;
  /** program for CRIU's steps */
  readonly action: string;
}

/**
 * Writes the state of a container's processes. Not by liblxc, which cannot do it with a container that was restored.
 * When it fails the processes go on.
 */
export async function dumpProcesses(dump: Dump): Promise<void> {
  const binds = bindTargets(await readFile(dump.places.configFile, 'utf8'));
  try {
    await runCommand('criu', criuArguments(dump, binds), { timeoutMs: dumpDeadlineMs });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const reason = (await criuErrors(criuLogFile(dump.places, 'dump'))) || error.stderr.trim() || error.message;
    throw new ApiError('failed-precondition', `Failed keeping the state of "${dump.id}": ${reason}`, { cause: error });
  }
}

/** The same choices that liblxc makes at a restore; both must agree on how mounts of the host's are called. */
function criuArguments(dump: Dump, binds: readonly string[]): readonly string[] {
  const { places } = dump;
  return [
    'dump',
    ...['--tree', String(dump.initPid), '--images-dir', dump.folder],
    ...['--log-file', criuLogFile(places, 'dump'), '-v2'],
    ...['--tcp-established', '--file-locks', '--link-remap', '--skip-in-flight'],
    ...['--manage-cgroups=full', '--cgroup-root', places.cgroupRoot, '--freeze-cgroup', places.cgroup],
    ...['--ext-mount-map', 'auto', '--enable-external-sharing', '--enable-external-masters'],
    ...['hugetlbfs', 'tracefs', 'ramfs'].flatMap(type => ['--enable-fs', type]),
    ...binds.flatMap(target => ['--ext-mount-map', `/${target}:${target}`]),
    ...['--action-script', dump.action],
    ...(dump.goesOn ? ['--leave-running'] : []),
  ];
}

/** Where a container's configuration binds something of the host, without the leading "/". */
export function bindTargets(config: string): readonly string[] {
  return config.split('\n').flatMap(line => {
    const [, target, options] = /^lxc\.mount\.entry = \S+ (\S+) \S+ (\S+)/.exec(line) ?? [];
    return target && options?.split(',').some(word => word === 'bind' || word === 'rbind')
      ? [unescapeMountField(target)]
      : [];
  });
}
