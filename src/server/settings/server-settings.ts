import type { ConfigMap } from '#api/common.ts';
import { effective } from '#base/config-schema.ts';
import type { Database } from '../database/database.ts';
import { loadServerConfig, saveServerConfig } from '../database/server-config.ts';
import { localKeys, secretKeys, serverKeys } from './config-keys.ts';
import type { Settings } from './settings.ts';

interface Databases {
  readonly database: Database;
  readonly localDatabase: Database;
}

/** Server config in memory, read once at start and written through. */
export class ServerSettings implements Settings {
  readonly #databases: Databases;
  #stored: ConfigMap = {};

  constructor(databases: Databases) {
    this.#databases = databases;
  }

  async load(): Promise<void> {
    const [local, shared] = await Promise.all([
      this.#databases.localDatabase.read(loadServerConfig),
      this.#databases.database.read(loadServerConfig),
    ]);
    this.#stored = { ...shared, ...local };
  }

  get stored(): ConfigMap {
    return this.#stored;
  }

  get visible(): ConfigMap {
    const entries = Object.entries(this.#stored);
    return Object.fromEntries(entries.map(([key, value]) => [key, secretKeys.includes(key) ? 'true' : value]));
  }

  get(key: string): string | undefined {
    return effective(serverKeys, this.#stored, key);
  }

  /** Replaces the whole config; values are checked and hashed already. */
  async save(config: ConfigMap): Promise<void> {
    const set = Object.entries(config).filter(([, value]) => value !== '');
    const part = (local: boolean): ConfigMap =>
      Object.fromEntries(set.filter(([key]) => localKeys.includes(key) === local));
    await this.#databases.localDatabase.write(tx => saveServerConfig(tx, part(true)));
    await this.#databases.database.write(tx => saveServerConfig(tx, part(false)));
    this.#stored = Object.fromEntries(set);
  }
}
