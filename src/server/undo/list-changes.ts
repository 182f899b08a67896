import { isDeepStrictEqual } from 'node:util';
import type { InstanceChange } from '#api/undo.ts';
import { type InstanceVersion, listChanges as listRows } from '../database/instance-changes.ts';
import { getInstance } from '../database/instances.ts';
import { versionOf } from '../instances/note-change.ts';
import type { Services } from '../services.ts';

/** The last changes of an instance, newest first, each with what it touched. Throws "not-found". */
export async function listChanges(
  { database }: Pick<Services, 'database'>,
  project: string,
  name: string,
): Promise<readonly InstanceChange[]> {
  const { record, rows } = await database.read(async reader => {
    const record = await getInstance(reader, project, name);
    return { record, rows: await listRows(reader, record.id) };
  });
  return rows.map(({ id, action, changedAt, changedBy, snapshot, before }, index) => ({
    ...{ id, action, snapshot, before },
    changed_at: changedAt,
    changed_by: changedBy,
    changed: differences(before, rows[index - 1]?.before ?? versionOf(record)),
  }));
}

/** Such as "limits.memory", "device eth0", "profiles". */
export function differences(before: InstanceVersion, after: InstanceVersion): readonly string[] {
  const changed = (one: object, other: object): readonly string[] => {
    const [was, now] = [one, other] as readonly Readonly<Record<string, unknown>>[];
    const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
    return keys.filter(key => !isDeepStrictEqual(was?.[key], now?.[key]));
  };
  return [
    ...changed(before.config, after.config),
    ...changed(before.devices, after.devices).map(name => `device ${name}`),
    ...(['profiles', 'description', 'ephemeral'] as const).filter(
      member => !isDeepStrictEqual(before[member], after[member]),
    ),
  ];
}
