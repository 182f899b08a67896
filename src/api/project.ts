import type { ConfigMap } from './common.ts';

/** GET /1.0/projects/{name} */
export interface Project {
  readonly name: string;
  readonly description: string;
  readonly config: ConfigMap;
  readonly used_by: readonly string[];
}
