import { ApiError } from '#api/error.ts';
import { formatSize, parseSize } from '#base/units.ts';
import type { ProjectContent } from './project-content.ts';
import { type SummedResource, summedResources, total } from './usage.ts';

/** A limit of a project that its content is beyond. */
interface Excess {
  readonly key: string;
  /** what to say when objects were added or grew */
  readonly reached: string;
  /** what to say when the limit was lowered */
  readonly tooLow: string;
}

/** Throws "failed-precondition" when a project holds or gives its objects more than its limits let it; in LXD's words. */
export function checkLimits(content: ProjectContent): void {
  for (const { reached } of excesses(content)) throw new ApiError('failed-precondition', reached);
}

/** The same after a change of the limits themselves. */
export function checkLoweredLimits(content: ProjectContent): void {
  for (const { tooLow } of excesses(content)) throw new ApiError('failed-precondition', tooLow);
}

/** True when a project has any limit, so that its content needs to be read at all. */
export function hasLimits(config: ProjectContent['project']['config']): boolean {
  return Object.keys(config).some(key => key.startsWith('limits.'));
}

/** Bytes that custom volumes, root disks and images may still take; undefined = no limit. */
export function diskBudget(content: ProjectContent): number | undefined {
  const limit = parseSize(content.project.config['limits.disk'] ?? '');
  return limit === undefined ? undefined : Math.max(0, limit - total(content, 'disk'));
}

function* excesses(content: ProjectContent): Generator<Excess> {
  const { config, name } = content.project;
  const inProject = `in project "${name}"`;
  const counts = [
    ['instances', content.instances.length, 'total instances', 'instances'],
    ['containers', content.instances.length, 'instances of type container', 'instances of type "container"'],
    ['networks', content.networks, 'networks', 'networks'],
  ] as const;
  for (const [resource, count, present, most] of counts) {
    const key = `limits.${resource}`;
    const limit = parseSize(config[key] ?? '');
    if (limit === undefined || count <= limit) continue;
    yield {
      key,
      reached: `Reached maximum number of ${most} ${inProject}`,
      tooLow: `Can't change "${key}" ${inProject}: "${key}" is too low: there currently are ${String(count)} ${present} ${inProject}`,
    };
  }
  for (const resource of summedResources) {
    const key = `limits.${resource}`;
    const limit = parseSize(config[key] ?? '');
    if (limit === undefined) continue;
    const current = total(content, resource);
    if (current <= limit) continue;
    yield {
      key,
      reached: `Reached maximum aggregate value "${config[key] ?? ''}" for "${key}" ${inProject}`,
      tooLow: `"${key}" is too low: current total is "${textOf(resource, current)}"`,
    };
  }
}

function textOf(resource: SummedResource, amount: number): string {
  return resource === 'memory' || resource === 'disk' ? formatSize(amount, 1) : String(amount);
}
