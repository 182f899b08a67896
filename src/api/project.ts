import type { ConfigMap } from './common.ts';

/** PUT and PATCH /1.0/projects/{name} */
export interface ProjectPut {
  readonly description?: string;
  readonly config?: ConfigMap;
}

/** POST /1.0/projects */
export interface ProjectsPost extends ProjectPut {
  readonly name: string;
}

/** GET /1.0/projects/{name} */
export interface Project {
  readonly name: string;
  readonly description: string;
  readonly config: ConfigMap;
  readonly used_by: readonly string[];
}

/** What a project may have of one resource and what its objects have been given; capital letters as on LXD's wire. */
export interface ProjectResource {
  /** -1 = unlimited */
  readonly Limit: number;
  readonly Usage: number;
}

/** GET /1.0/projects/{name}/state */
export interface ProjectState {
  readonly resources: Readonly<Record<string, ProjectResource>>;
}
