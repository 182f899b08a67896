import { ageProblem } from '#base/age.ts';
import { defineKeys } from '#base/config-schema.ts';
import { retentionProblem } from '#base/retention.ts';
import { scheduleProblem } from '#base/schedule.ts';
import { patternProblem } from '#base/snapshot-name.ts';
import { asDefaults } from './volume-keys.ts';

/** Keys of custom volumes that a pool sets defaults of with the prefix "volume.". */
const defaultableKeys = defineKeys({
  size: { type: 'size', summary: 'Quota of the volume' },
  'security.shifted': { type: 'boolean', default: 'false', summary: 'Let instances with different ids share it' },
  'security.unmapped': { type: 'boolean', default: 'false', summary: 'Show ids as they are on disk, unmapped' },
  'snapshots.expiry': {
    type: 'string',
    summary: 'When snapshots expire, such as "1M 2H 3d 4w 5m 6y"',
    check: ageProblem,
  },
  'snapshots.retention': {
    type: 'string',
    summary: 'Which scheduled snapshots stay, such as "hourly=24 daily=7 weekly=4 monthly=12"; ours',
    check: retentionProblem,
  },
  'snapshots.schedule': {
    type: 'string',
    summary: 'When to take snapshots: cron expressions or @daily and the like',
    check: scheduleProblem,
  },
  'snapshots.pattern': {
    type: 'string',
    default: 'snap%d',
    summary: 'Names of snapshots that nobody names',
    check: patternProblem,
  },
});

/** Keys of custom volumes. */
export const volumeKeys = defineKeys({
  ...defaultableKeys,
  'volatile.idmap.last': { type: 'string', internal: true, summary: 'Ids that the files have on disk' },
  'volatile.idmap.next': { type: 'string', internal: true, summary: 'Ids of the instances that use it' },
  'volatile.rename.to': { type: 'string', internal: true, summary: 'Kept while the volume is being renamed' },
  'volatile.refresh.from': { type: 'string', internal: true, summary: 'Kept while the volume is being refreshed' },
  'volatile.snapshot.safety': {
    type: 'string',
    internal: true,
    summary: 'Kept with a snapshot taken before a restore',
  },
  'volatile.trash.from': { type: 'string', internal: true, summary: 'Kept while the volume comes out of the trash' },
  'volatile.trash.to': { type: 'string', internal: true, summary: 'Kept while the volume goes into the trash' },
  'user.*': { type: 'text', summary: "Users' own keys" },
});

/** Keys of every pool, whatever its driver. */
export const poolKeys = defineKeys({
  'rsync.bwlimit': {
    type: 'size',
    summary: 'Upper limit of bytes a second when volumes go to other servers, by rsync or as streams',
  },
  'rsync.compression': { type: 'boolean', default: 'true', summary: 'Compress what rsync sends' },
  'volatile.initial_source': { type: 'string', internal: true, summary: 'Source as it was given at creation' },
  'user.*': { type: 'text', summary: "Users' own keys" },
  ...asDefaults(defaultableKeys),
});
