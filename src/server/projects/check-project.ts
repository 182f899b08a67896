import { ApiError } from '#api/error.ts';
import { changedKeys, effective, effectiveBoolean } from '#base/config-schema.ts';
import type { ConfigMap } from '#api/common.ts';
import type { Reader } from '../database/database.ts';
import { getProjectRecord } from '../database/projects.ts';
import { projectKeys } from './config-keys.ts';
import { checkLimits, checkLoweredLimits, diskBudget, hasLimits } from './limits.ts';
import { loadContent, type ProjectContent, type ProjectInstance } from './project-content.ts';
import { checkRestrictions } from './restrictions.ts';

/**
 * The one door for limits and restrictions of projects: call it in the write transaction, after the rows are written.
 * The whole project as it then stands must keep to its keys, however its content came to be. `planned` is an instance
 * whose rows are not written yet; it takes the place of the one of its name. Throws "permission-denied" or
 * "failed-precondition".
 */
export async function checkProject(reader: Reader, name: string, planned?: ProjectInstance): Promise<void> {
  const { config } = await getProjectRecord(reader, name);
  if (!hasLimits(config) && !effectiveBoolean(projectKeys, config, 'restricted')) return;
  const content = withPlanned(await loadContent(reader, name), planned);
  checkRestrictions(content);
  checkLimits(content);
}

/** The same after a change of the project's own config, which must not tighten what is in use already. */
export async function checkTightened(reader: Reader, name: string, before: ConfigMap): Promise<void> {
  const content = await loadContent(reader, name);
  const changed = changedKeys(before, content.project.config);
  if (changed.some(key => key.startsWith('limits.'))) checkLoweredLimits(content);
  const restricting = changed.filter(key => key.startsWith('restricted'));
  if (restricting.length === 0) return;
  try {
    checkRestrictions(content);
  } catch (error) {
    if (!ApiError.is(error)) throw error;
    const keys = restricting.map(key => `"${key}"`).join(', ');
    const message = `Conflict detected when changing ${keys} in project "${name}": ${error.message}`;
    throw new ApiError('failed-precondition', message);
  }
}

/** Throws "permission-denied" when the project forbids making snapshots, of instances or volumes. */
export async function checkSnapshotAllowed(reader: Reader, project: string): Promise<void> {
  await checkAllowed(reader, project, 'snapshot');
}

/** Throws "permission-denied" when the project forbids making backups, of instances or volumes. */
export async function checkBackupAllowed(reader: Reader, project: string): Promise<void> {
  await checkAllowed(reader, project, 'backup');
}

/** Bytes that a project may still fill, for uploads that have no row yet; undefined = as many as there are. */
export async function diskLeft(reader: Reader, project: string): Promise<number | undefined> {
  return diskBudget(await loadContent(reader, project));
}

async function checkAllowed(reader: Reader, project: string, what: 'snapshot' | 'backup'): Promise<void> {
  const { config } = await getProjectRecord(reader, project);
  if (!effectiveBoolean(projectKeys, config, 'restricted')) return;
  if (effective(projectKeys, config, `restricted.${what}s`) === 'allow') return;
  throw new ApiError('permission-denied', `Project "${project}" doesn't allow for ${what} creation`);
}

function withPlanned(content: ProjectContent, planned: ProjectInstance | undefined): ProjectContent {
  if (!planned) return content;
  const { name, config, devices } = planned;
  const others = content.instances.filter(instance => instance.name !== name);
  return { ...content, instances: [...others, { name, config, devices }] };
}
