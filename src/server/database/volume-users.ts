import type { Reader, Transaction } from './database.ts';

/** An instance or profile with a disk device that names a custom volume, or the server by its config. */
export interface VolumeUser {
  readonly kind: 'instances' | 'profiles' | 'server';
  readonly project: string;
  readonly name: string;
  readonly pool: string;
  readonly volume: string;
  /** project that holds the volume */
  readonly volumeProject: string;
}

interface VolumeAt {
  readonly pool: string;
  readonly project: string;
  readonly name: string;
}

/** Projects without volumes of their own use those of project "default". */
const ownerOf = `CASE WHEN EXISTS (SELECT 1 FROM projects_config f WHERE f.project_id = p.id
    AND f.key = 'features.storage.volumes' AND lower(f.value) IN ('true', '1', 'yes', 'on'))
  THEN p.name ELSE 'default' END`;

const disksOf = (kind: 'instances' | 'profiles', owner: 'instance' | 'profile'): string => `
SELECT DISTINCT '${kind}' AS kind, p.name AS project, o.name AS name, pool.value AS pool, src.value AS volume,
    ${ownerOf} AS volumeProject
  FROM ${kind}_devices d JOIN ${kind} o ON o.id = d.${owner}_id JOIN projects p ON p.id = o.project_id
  JOIN ${kind}_devices_config pool ON pool.${owner}_device_id = d.id AND pool.key = 'pool'
  JOIN ${kind}_devices_config src ON src.${owner}_device_id = d.id AND src.key = 'source'`;

/** Server config that names a volume of project "default" as POOL/VOLUME. */
const serverUses = `
SELECT 'server', 'default', key, substr(value, 1, instr(value, '/') - 1), substr(value, instr(value, '/') + 1), 'default'
  FROM config WHERE key IN ('storage.backups_volume', 'storage.images_volume')`;

const users = `${disksOf('instances', 'instance')} UNION ${disksOf('profiles', 'profile')} UNION ${serverUses}
  ORDER BY kind, project, name`;

/** Everything whose own devices name a custom volume. */
export async function listVolumeUsers(reader: Reader): Promise<readonly VolumeUser[]> {
  return await reader.all<VolumeUser>(users);
}

/** Instances whose devices, own or of a profile, name the volume. */
export async function instancesUsingVolume(
  reader: Reader,
  at: VolumeAt,
): Promise<readonly { readonly project: string; readonly name: string }[]> {
  const of = (await listVolumeUsers(reader)).filter(user => isUserOf(user, at));
  const found = new Map(of.filter(user => user.kind === 'instances').map(user => [keyOf(user), user] as const));
  for (const profile of of.filter(user => user.kind === 'profiles')) {
    const members = await reader.all<{ project: string; name: string }>(
      `SELECT p.name AS project, i.name AS name FROM instances i JOIN projects p ON p.id = i.project_id
       JOIN instances_profiles ip ON ip.instance_id = i.id JOIN profiles f ON f.id = ip.profile_id
       JOIN projects fp ON fp.id = f.project_id WHERE f.name = ? AND fp.name = ?`,
      [profile.name, profile.project],
    );
    for (const member of members) found.set(keyOf(member), { ...profile, ...member });
  }
  return [...found.values()].map(({ project, name }) => ({ project, name }));
}

export function isUserOf(user: VolumeUser, at: VolumeAt): boolean {
  return user.pool === at.pool && user.volume === at.name && user.volumeProject === at.project;
}

/** Project that holds the custom volumes of a project; see features.storage.volumes. */
export async function volumeProject(reader: Reader, project: string): Promise<string> {
  const row = await reader.get<{ owner: string }>(`SELECT ${ownerOf} AS owner FROM projects p WHERE p.name = ?`, [
    project,
  ]);
  return row?.owner ?? 'default';
}

/** Makes the devices of instances and profiles that name a volume name it by its new pool and name. */
export async function renameVolumeInDevices(
  tx: Transaction,
  from: VolumeAt,
  to: { readonly pool: string; readonly name: string },
): Promise<void> {
  for (const [kind, owner] of [
    ['instances', 'instance'],
    ['profiles', 'profile'],
  ] as const) {
    const devices = await tx.all<{ id: number }>(
      `SELECT d.id FROM ${kind}_devices d JOIN ${kind} o ON o.id = d.${owner}_id JOIN projects p ON p.id = o.project_id
       JOIN ${kind}_devices_config pool ON pool.${owner}_device_id = d.id AND pool.key = 'pool' AND pool.value = ?
       JOIN ${kind}_devices_config src ON src.${owner}_device_id = d.id AND src.key = 'source' AND src.value = ?
       WHERE ${ownerOf} = ?`,
      [from.pool, from.name, from.project],
    );
    for (const { id } of devices) {
      const set = `UPDATE ${kind}_devices_config SET value = ? WHERE ${owner}_device_id = ? AND key = ?`;
      await tx.run(set, [to.pool, id, 'pool']);
      await tx.run(set, [to.name, id, 'source']);
    }
  }
}

function keyOf({ project, name }: { readonly project: string; readonly name: string }): string {
  return `${project}/${name}`;
}
