import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { SqliteConnection } from './database/sqlite-connection.ts';
import type { StatePaths } from './paths.ts';

/**
 * For hosts that start the daemon by its socket: connects to the socket when there is work for the daemon, and says on
 * standard error why or that there is none. Works while the daemon is down.
 */
export async function activateIfNeeded(paths: StatePaths): Promise<void> {
  const reason = await activationReason(paths);
  process.stderr.write(`${reason.text}\n`);
  if (reason.activate) await touchSocket(paths.socket);
}

interface Reason {
  readonly activate: boolean;
  readonly text: string;
}

/** Why the daemon should run now, in LXD's words. */
export async function activationReason(paths: StatePaths): Promise<Reason> {
  const idle = (text: string): Reason => ({ activate: false, text });
  if (!existsSync(paths.localDatabase)) return idle('No local database, so no need to start the daemon now');
  if (!existsSync(paths.globalDatabase)) return idle('No global database, so no need to start the daemon now');
  const wanted = (text: string): Reason => ({ activate: true, text });
  if (await finds(paths.localDatabase, "SELECT 1 FROM config WHERE key = 'core.https_address' AND value <> ''"))
    return wanted('Daemon has core.https_address set, activating...');
  if (await finds(paths.globalDatabase, autostarted)) return wanted('Daemon has auto-started instances, activating...');
  if (await finds(paths.globalDatabase, scheduledInstances))
    return wanted('Daemon has scheduled instance snapshots, activating...');
  if (await finds(paths.globalDatabase, scheduledVolumes))
    return wanted('Daemon has scheduled volume snapshots, activating...');
  return idle('No need to start the daemon now');
}

/** Keys of instances, their own or of a profile of theirs. */
const expandedKeys = `
  SELECT instance_id, key, value FROM instances_config
  UNION ALL SELECT instances_profiles.instance_id, key, value
  FROM profiles_config JOIN instances_profiles ON instances_profiles.profile_id = profiles_config.profile_id`;

const autostarted = `
  SELECT 1 FROM (${expandedKeys}) WHERE (key = 'boot.autostart' AND value IN ('true', '1', 'yes', 'on'))
    OR (key = 'volatile.last_state.power' AND value = 'RUNNING' AND instance_id NOT IN
      (SELECT instance_id FROM instances_config WHERE key = 'boot.autostart'))`;

const scheduledInstances = `
  SELECT 1 FROM (${expandedKeys}) WHERE key = 'snapshots.schedule' AND value NOT IN ('', '@never')`;

const scheduledVolumes = `
  SELECT 1 FROM storage_volumes_config WHERE key = 'snapshots.schedule' AND value NOT IN ('', '@never')`;

async function finds(file: string, query: string): Promise<boolean> {
  const connection = await SqliteConnection.open(file, true);
  try {
    return (await connection.all(`${query} LIMIT 1`, [])).length > 0;
  } finally {
    await connection.close();
  }
}

/** The service manager that holds the socket starts the daemon for whoever connects. */
async function touchSocket(socket: string): Promise<void> {
  await new Promise<void>(resolve => {
    const connection = connect(socket, () => connection.end());
    connection.on('error', () => undefined); // nobody holds it: nothing can be started
    connection.on('close', () => resolve());
  });
}
