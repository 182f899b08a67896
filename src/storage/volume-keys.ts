import type { KeyRule, KeyTable } from '#base/config-schema.ts';

/** The keys "volume.*" of a pool: what new volumes have in the place of keys that are not set on them. */
export function asDefaults(volumeKeys: KeyTable): KeyTable {
  return Object.fromEntries(Object.entries(volumeKeys).map(([key, rule]) => [`volume.${key}`, withoutDefault(rule)]));
}

function withoutDefault({ default: _unset, ...rule }: KeyRule): KeyRule {
  return { ...rule, summary: `Default of new volumes: ${rule.summary}` };
}
