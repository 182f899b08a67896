import path from 'node:path';
import type { ContainerLogs } from './container-logs.ts';
import { shortName } from './short-name.ts';

/** Where a container has what is needed to keep its state and to bring it back. */
export interface CheckpointPlaces {
  /** run folder */
  readonly run: string;
  /** folder of logs */
  readonly logs: string;
  /** what liblxc was told */
  readonly configFile: string;
  /** folder in which CRIU's steps are told, with a short path because of a socket */
  readonly steps: string;
  /** directory of its cgroup in the v2 hierarchy */
  readonly cgroup: string;
  /** the same from the root of the hierarchy */
  readonly cgroupRoot: string;
}

export function checkpointPlaces(container: {
  readonly id: string;
  readonly run: string;
  readonly logs: ContainerLogs;
  readonly lxcPath: string;
  readonly cgroup: { readonly directory: string; readonly root: string };
}): CheckpointPlaces {
  const { id, run, logs, lxcPath, cgroup } = container;
  return {
    run,
    logs: logs.folder,
    configFile: logs.config,
    steps: path.join(lxcPath, `criu-${shortName(id)}`),
    cgroup: cgroup.directory,
    cgroupRoot: cgroup.root,
  };
}

/** CRIU reads settings from it that liblxc does not give. */
export function criuSettingsFile({ run }: CheckpointPlaces): string {
  return path.join(run, 'criu.conf');
}

/** What CRIU says, under the names that LXD gives such logs. */
export function criuLogFile({ logs }: CheckpointPlaces, verb: 'dump' | 'restore'): string {
  return path.join(logs, `migration_${verb}.log`);
}
