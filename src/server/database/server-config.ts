import type { ConfigMap } from '#api/common.ts';
import type { Reader, Transaction } from './database.ts';

export async function loadServerConfig(reader: Reader): Promise<ConfigMap> {
  const rows = await reader.all<{ key: string; value: string }>('SELECT key, value FROM config ORDER BY key');
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

/** Replaces the whole config. */
export async function saveServerConfig(tx: Transaction, config: ConfigMap): Promise<void> {
  await tx.run('DELETE FROM config');
  for (const [key, value] of Object.entries(config))
    await tx.run('INSERT INTO config (key, value) VALUES (?, ?)', [key, value]);
}
