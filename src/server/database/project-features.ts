import { defaultProject } from '#api/common.ts';
import { parseBoolean } from '#base/config-schema.ts';
import type { Reader } from './database.ts';

/** Kinds of objects that a project has of its own when `features.KIND` is on. */
export type ProjectFeature = 'images' | 'profiles' | 'storage.volumes' | 'networks';

/** The project that holds the objects of a kind which a project uses: itself, or "default" when the feature is off. */
export async function ownerProject(reader: Reader, project: string, feature: ProjectFeature): Promise<string> {
  if (project === defaultProject) return project;
  const row = await reader.get<{ value: string }>(
    `SELECT value FROM projects_config JOIN projects ON projects.id = projects_config.project_id
     WHERE projects.name = ? AND key = ?`,
    [project, `features.${feature}`],
  );
  return row && parseBoolean(row.value) ? project : defaultProject;
}

/** The same for all projects in one query. */
export async function ownerProjects(reader: Reader, feature: ProjectFeature): Promise<(project: string) => string> {
  const rows = await reader.all<{ name: string; value: string }>(
    `SELECT projects.name, value FROM projects_config JOIN projects ON projects.id = projects_config.project_id
     WHERE key = ?`,
    [`features.${feature}`],
  );
  const own = new Set(rows.filter(({ value }) => parseBoolean(value)).map(({ name }) => name));
  return project => (own.has(project) ? project : defaultProject);
}
