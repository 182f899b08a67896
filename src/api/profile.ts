import type { ConfigMap, DevicesMap } from './common.ts';

/** GET /1.0/profiles/{name} */
export interface Profile {
  readonly name: string;
  readonly description: string;
  readonly config: ConfigMap;
  readonly devices: DevicesMap;
  readonly used_by: readonly string[];
}

export interface ProfilePut {
  readonly description?: string;
  readonly config?: ConfigMap;
  readonly devices?: DevicesMap;
}
