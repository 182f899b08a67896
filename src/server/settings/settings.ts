import type { ConfigMap } from '#api/common.ts';

/** Server config (PUT /1.0), kept in memory; the table `config` has it on disk. */
export interface Settings {
  /** as users see it: secrets are shown as "true" */
  readonly visible: ConfigMap;
  /** value in force of one key, its default when not set */
  get(key: string): string | undefined;
}
