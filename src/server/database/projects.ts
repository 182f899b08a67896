import { defaultProject } from '#api/common.ts';
import { notFound } from '#api/error.ts';
import type { Project } from '#api/project.ts';
import { loadConfigs, projectConfig } from './config-rows.ts';
import type { Reader } from './database.ts';

interface Row {
  readonly id: number;
  readonly name: string;
  readonly description: string;
}

/** URLs of what lies in each project, by project id. */
const usedBy = `
SELECT project_id AS id, '/1.0/instances/' || name AS url FROM instances
UNION ALL SELECT project_id, '/1.0/images/' || fingerprint FROM images
UNION ALL SELECT project_id, '/1.0/networks/' || name FROM networks
UNION ALL SELECT project_id, '/1.0/profiles/' || name FROM profiles
UNION ALL SELECT v.project_id, '/1.0/storage-pools/' || p.name || '/volumes/custom/' || v.name
  FROM storage_volumes v JOIN storage_pools p ON p.id = v.storage_pool_id WHERE v.type = 2
ORDER BY url`;

export async function listProjects(reader: Reader): Promise<readonly Project[]> {
  const rows = await reader.all<Row>('SELECT id, name, description FROM projects ORDER BY name');
  const configs = await loadConfigs(reader, projectConfig);
  const users = await reader.all<{ id: number; url: string }>(usedBy);
  return rows.map(({ id, name, description }) => ({
    name,
    description,
    config: configs.get(id) ?? {},
    used_by: users
      .filter(user => user.id === id)
      .map(user => (name === defaultProject ? user.url : `${user.url}?project=${encodeURIComponent(name)}`)),
  }));
}

export async function getProject(reader: Reader, name: string): Promise<Project> {
  const project = (await listProjects(reader)).find(entry => entry.name === name);
  if (!project) throw notFound('Project', name);
  return project;
}
