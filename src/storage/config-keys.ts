import { defineKeys } from '#base/config-schema.ts';

/** Keys of custom volumes; a pool sets their defaults with the prefix "volume.". */
export const volumeKeys = defineKeys({
  size: { type: 'size', summary: 'Quota of the volume' },
  'security.shifted': { type: 'boolean', default: 'false', summary: 'Shift ids so that several instances share it' },
  'security.unmapped': { type: 'boolean', default: 'false', summary: 'Keep ids as they are on disk' },
  'snapshots.expiry': { type: 'string', summary: 'When snapshots expire, such as "1M 2H 3d 4w 5m 6y"' },
  'snapshots.schedule': { type: 'string', summary: 'When to take snapshots: cron expression or @daily and the like' },
  'snapshots.pattern': { type: 'string', summary: 'Names of snapshots that are taken by schedule' },
});

/** Keys of every pool, whatever its driver. */
export const poolKeys = defineKeys({
  'rsync.bwlimit': { type: 'size', summary: 'Upper limit of bytes a second when rsync copies volumes' },
  'rsync.compression': { type: 'boolean', default: 'true', summary: 'Compress what rsync sends' },
  'volatile.initial_source': { type: 'string', internal: true, summary: 'Source as it was given at creation' },
  'user.*': { type: 'text', summary: "Users' own keys" },
  ...Object.fromEntries(Object.entries(volumeKeys).map(([key, rule]) => [`volume.${key}`, withoutDefault(rule)])),
});

function withoutDefault(rule: (typeof volumeKeys)[keyof typeof volumeKeys]): {
  readonly type: 'size' | 'boolean' | 'string';
  readonly summary: string;
} {
  return { type: rule.type, summary: `Default of new volumes: ${rule.summary}` };
}
