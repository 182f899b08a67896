import { chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** One cgroup of a container, as CRIU neither saves nor restores it. */
export interface CgroupNode {
  /** from the container's own cgroup, "" for that */
  readonly place: string;
  readonly uid: number;
  readonly gid: number;
  /** controllers that its children have (cgroup.subtree_control) */
  readonly controllers: readonly string[];
}

/** What a container's root needs to own in a cgroup to manage those below it. */
const delegated = ['', 'cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control'];

/** The cgroups of a container in the v2 hierarchy, parents first. */
export function readCgroupTree(top: string, place = ''): readonly CgroupNode[] {
  const folder = path.join(top, place);
  const { uid, gid } = statSync(folder);
  const controllers = readFileSync(path.join(folder, 'cgroup.subtree_control'), 'utf8').trim().split(' ');
  const children = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory());
  return [
    { place, uid, gid, controllers: controllers.filter(Boolean) },
    ...children.flatMap(({ name }) => readCgroupTree(top, path.join(place, name))),
  ];
}

/** Makes the tree as it was; what is there already stays. Its processes must not be in inner cgroups yet. */
export function rebuildCgroupTree(top: string, nodes: readonly CgroupNode[]): void {
  for (const { place, uid, gid, controllers } of nodes) {
    const folder = path.join(top, place);
    mkdirSync(folder, { recursive: true });
    for (const file of delegated) chownSync(path.join(folder, file), uid, gid);
    for (const controller of controllers) writeFileSync(path.join(folder, 'cgroup.subtree_control'), `+${controller}`);
  }
}
