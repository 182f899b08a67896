import type { ConfigMap } from '#api/common.ts';
import { parseRetention, superfluous } from '#base/retention.ts';
import { isScheduledAt, parseSchedule } from '#base/schedule.ts';

/** Kept with snapshots that were taken by schedule: only these are pruned by retention. */
export const scheduledMark = 'volatile.snapshot.scheduled';

interface SnapshotRow {
  readonly name: string;
  readonly ready: boolean;
  readonly createdAt: string;
  readonly config: ConfigMap;
}

/** Whether the schedule in `config` names one of the minutes. */
export function isSnapshotDue(config: ConfigMap, minutes: readonly Date[]): boolean {
  const schedule = parseSchedule(config['snapshots.schedule'] ?? '');
  return schedule !== undefined && minutes.some(minute => isScheduledAt(schedule, minute));
}

/** Names of the scheduled snapshots that the retention set in `config` does not keep; `list` is asked only if there is one. */
export async function namesToPrune(
  config: ConfigMap,
  list: () => Promise<readonly SnapshotRow[]>,
): Promise<readonly string[]> {
  const retention = parseRetention(config['snapshots.retention'] ?? '');
  if (!retention) return [];
  const scheduled = (await list()).filter(({ ready, config }) => ready && config[scheduledMark] === 'true');
  return superfluous(retention, scheduled).map(({ name }) => name);
}
