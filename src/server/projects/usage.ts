import { ApiError } from '#api/error.ts';
import type { ProjectState } from '#api/project.ts';
import { parseSize } from '#base/units.ts';
import { rootDevice } from '../profiles/expand-config.ts';
import type { ProjectContent } from './project-content.ts';

/** Resources whose limit holds for the sum of what the objects of a project have been given. */
export const summedResources = ['cpu', 'memory', 'processes', 'disk'] as const;
export type SummedResource = (typeof summedResources)[number];

/** What a project counts, in the order that LXD shows it. */
const resources = ['containers', 'cpu', 'disk', 'instances', 'memory', 'networks', 'processes', 'virtual-machines'];

/** Limits of a project and what its objects have been given; what has no limit of its own counts as nothing. */
export function projectState(content: ProjectContent): ProjectState {
  const entries = resources.map(resource => {
    const Limit = parseSize(content.project.config[`limits.${resource}`] ?? '') ?? -1;
    return [resource, { Limit, Usage: usageOf(content, resource) }] as const;
  });
  return { resources: Object.fromEntries(entries) };
}

function usageOf(content: ProjectContent, resource: string): number {
  if (resource === 'containers' || resource === 'instances') return content.instances.length;
  if (resource === 'networks') return content.networks;
  const summed = summedResources.find(name => name === resource);
  if (summed === undefined) return 0;
  return sum(claims(content, summed).map(({ value = '' }) => parseSize(value) ?? 0));
}

/** The sum of a resource. Throws "failed-precondition" naming an object that has no limit, or none that can be added. */
export function total(content: ProjectContent, resource: SummedResource): number {
  const amounts = claims(content, resource).map(({ value, missing, wrong }) => {
    if (!value) throw new ApiError('failed-precondition', missing);
    const amount = parseSize(value);
    if (amount === undefined) throw new ApiError('failed-precondition', wrong);
    return amount;
  });
  return sum(amounts);
}

/** What one object has been given of a resource, with what to say when that is nothing or no number. */
interface Claim {
  readonly value: string | undefined;
  readonly missing: string;
  readonly wrong: string;
}

function claims(content: ProjectContent, resource: SummedResource): readonly Claim[] {
  const inProject = `in project "${content.project.name}"`;
  if (resource !== 'disk')
    return content.instances.map(({ name, config }) => ({
      value: config[`limits.${resource}`],
      missing: `Instance "${name}" ${inProject} has no "limits.${resource}" config, either directly or via a profile`,
      wrong: `Failed parsing "limits.${resource}" for instance "${name}" ${inProject}: it is no amount that can be added`,
    }));
  const roots = content.instances.map(({ name, devices }) => ({
    value: rootDevice(devices)?.[1]['size'],
    missing: `Instance "${name}" ${inProject} has no "size" config set on the root device either directly or via a profile`,
    wrong: `Failed parsing "size" of the root device of instance "${name}" ${inProject}`,
  }));
  const volumes = content.volumes.map(({ name, config }) => ({
    value: config['size'],
    missing: `Custom volume "${name}" ${inProject} has no "size" config set`,
    wrong: `Failed parsing "size" of custom volume "${name}" ${inProject}`,
  }));
  return [...roots, ...volumes];
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
