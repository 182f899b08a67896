import { ageProblem } from '#base/age.ts';
import { defineKeys } from '#base/config-schema.ts';
import { retentionProblem } from '#base/retention.ts';
import { scheduleProblem } from '#base/schedule.ts';
import { patternProblem } from '#base/snapshot-name.ts';

/** The keys `snapshots.*`: when snapshots are made, how they are called and how long they stay. */
export const snapshotKeys = defineKeys({
  'snapshots.expiry': {
    type: 'string',
    summary: 'Age at which snapshots are deleted, such as "3d 12H"',
    check: ageProblem,
  },
  'snapshots.pattern': { type: 'string', summary: 'Name of snapshots: "snap%d" counts', check: patternProblem },
  'snapshots.retention': {
    type: 'string',
    summary: 'Which scheduled snapshots stay, such as "hourly=24 daily=7 weekly=4 monthly=12"; ours',
    check: retentionProblem,
  },
  'snapshots.schedule': {
    type: 'string',
    summary: 'When snapshots are made: cron expressions, @daily and the like, @startup',
    check: scheduleProblem,
  },
  'snapshots.schedule.stopped': {
    type: 'boolean',
    default: 'false',
    summary: 'Whether stopped instances are snapshot on schedule',
  },
});
