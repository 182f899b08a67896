import { type ConfigMap, defaultProject } from '#api/common.ts';
import { ApiError, invalid } from '#api/error.ts';
import type { Requestor } from '#api/event.ts';
import type { Project, ProjectsPost } from '#api/project.ts';
import { changedKeys, effectiveBoolean, parseBoolean } from '#base/config-schema.ts';
import { hasControlCharacters } from '#base/names.ts';
import type { Reader, Transaction } from '../database/database.ts';
import { deleteProfileRow, findProfile, insertProfile } from '../database/profiles.ts';
import {
  deleteProjectRow,
  getProject,
  insertProject,
  projectExists,
  renameProjectRow,
  saveProject,
} from '../database/projects.ts';
import { countTrash } from '../database/trash.ts';
import { emitLifecycle } from '../events/event-bus.ts';
import type { Services } from '../services.ts';
import { checkTightened } from './check-project.ts';
import { checkProjectConfig, projectKeys, withNewFeatures, withoutEmpty } from './config-keys.ts';
import { checkProjectName } from './project-name.ts';

type Uses = Pick<Services, 'administration' | 'database' | 'events'>;

export async function createProject(services: Uses, request: ProjectsPost, requestor: Requestor): Promise<void> {
  const { name, description = '' } = request;
  checkProjectName(name);
  checkDescription(description);
  const config = withNewFeatures(request.config ?? {});
  checkProjectConfig(config);
  await services.database.write(async tx => {
    await insertProject(tx, { name, description, config });
    if (hasProfiles(config)) await insertDefaultProfile(tx, name);
  });
  emitLifecycle(services.events, 'project-created', projectPath(name), { requestor });
}

export interface ProjectChange {
  readonly description: string;
  readonly config: ConfigMap;
}

/**
 * Changes description and config. `change` gets the present state inside the write transaction and throws when the
 * client saw another.
 */
export async function updateProject(
  services: Uses,
  name: string,
  change: (current: Project) => ProjectChange,
  requestor: Requestor,
): Promise<void> {
  await services.database.write(async tx => {
    const project = await getProject(tx, name);
    const wanted = change(project);
    const next = { description: wanted.description, config: withoutEmpty(wanted.config) };
    checkDescription(next.description);
    checkProjectConfig(next.config);
    if (checkFeatures(project, next.config)) await assertNoTrash(tx, name);
    await saveProject(tx, project.id, next);
    await followProfilesFeature(tx, project, next.config);
    await checkTightened(tx, name, project.config);
  });
  emitLifecycle(services.events, 'project-updated', projectPath(name), { requestor });
}

/** Renames an empty project; certificates that may use it keep it. Throws "failed-precondition". */
export async function renameProject(
  services: Uses,
  names: { readonly from: string; readonly to: string },
  requestor: Requestor,
): Promise<void> {
  const { from, to } = names;
  await services.administration.trust.change(async tx => {
    const project = await getProject(tx, from);
    checkRename(project, to);
    await renameProjectRow(tx, project, to);
  });
  const context = { old_name: from };
  emitLifecycle(services.events, 'project-renamed', projectPath(to), { context, requestor });
}

/** What can be said before a rename begins. Throws "invalid-argument", "failed-precondition". */
export function checkRename(project: Project, to: string): void {
  if (project.name === defaultProject)
    throw new ApiError('permission-denied', "The 'default' project cannot be renamed");
  checkProjectName(to);
  if (to === project.name) throw projectExists(to);
  if (!isEmpty(project)) throw new ApiError('failed-precondition', 'Only empty projects can be renamed');
}

/** Deletes an empty project. Throws "failed-precondition". */
export async function deleteProject(services: Uses, name: string, requestor: Requestor): Promise<void> {
  if (name === defaultProject) throw new ApiError('permission-denied', "The 'default' project cannot be deleted");
  await services.administration.trust.change(async tx => {
    const project = await getProject(tx, name);
    if (!isEmpty(project)) throw new ApiError('failed-precondition', 'Only empty projects can be removed');
    await assertNoTrash(tx, name);
    await deleteProjectRow(tx, project);
  });
  emitLifecycle(services.events, 'project-deleted', projectPath(name), { requestor });
}

export function projectPath(name: string): string {
  return `/1.0/projects/${encodeURIComponent(name)}`;
}

/** What can be brought back into a project does not vanish with it unasked. */
async function assertNoTrash(reader: Reader, name: string): Promise<void> {
  const count = await countTrash(reader, { project: name });
  if (count === 0) return;
  throw new ApiError(
    'failed-precondition',
    `The trash holds ${String(count)} deleted instances or volumes of project "${name}": empty it first: "lxd-like trash empty --project ${name}"`,
  );
}

/** The profile that every project with profiles has does not count. */
function isEmpty({ used_by }: Project): boolean {
  return used_by.every(url => /^\/1\.0\/profiles\/default(\?|$)/.test(url));
}

/** Objects would change their project with the feature: it changes only while there are none. True when one changes. */
function checkFeatures(project: Project, next: ConfigMap): boolean {
  const features = changedKeys(switches(project.config), switches(next));
  if (features.length === 0) return false;
  if (project.name === defaultProject)
    throw new ApiError('invalid-argument', "You can't change the features of the default project");
  if (isEmpty(project)) return true;
  for (const key of features) {
    const word = isOn(project.config, key) ? 'disabled' : 'enabled';
    if (word === 'enabled' && key === 'features.networks') continue; // it had none before
    throw new ApiError('failed-precondition', `Project feature "${key}" cannot be ${word} on non-empty projects`);
  }
  return true;
}

async function followProfilesFeature(tx: Transaction, before: Project, next: ConfigMap): Promise<void> {
  if (hasProfiles(before.config) === hasProfiles(next)) return;
  if (hasProfiles(next)) {
    await insertDefaultProfile(tx, before.name);
    return;
  }
  const profile = await findProfile(tx, before.name, 'default');
  if (profile) await deleteProfileRow(tx, profile.id);
}

async function insertDefaultProfile(tx: Transaction, project: string): Promise<void> {
  const description = `Default LXD profile for project ${project}`;
  await insertProfile(tx, { project, name: 'default', description, config: {}, devices: {} });
}

/** Features as "true" or "false", however they are written. */
function switches(config: ConfigMap): ConfigMap {
  const keys = Object.keys(projectKeys).filter(key => key.startsWith('features.'));
  return Object.fromEntries(keys.map(key => [key, String(isOn(config, key))]));
}

function isOn(config: ConfigMap, key: string): boolean {
  return parseBoolean(config[key] ?? 'false') ?? false;
}

function hasProfiles(config: ConfigMap): boolean {
  return effectiveBoolean(projectKeys, config, 'features.profiles');
}

function checkDescription(description: string): void {
  if (hasControlCharacters(description) || description.length > 4096)
    throw invalid('description', 'must be at most 4096 characters without line breaks or control characters');
}
