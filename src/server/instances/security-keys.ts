import { defineKeys, type KeyRule } from '#base/config-schema.ts';
import { rawIdmapProblem } from './raw-idmap.ts';
import { rawLxcProblem } from './raw-lxc.ts';

/** What LXD reads as uint32. */
const count = (summary: string): KeyRule => ({ type: 'integer', min: 0, max: 2 ** 32 - 1, summary });

/** The keys `security.*` and `raw.*`: what an instance may do to its host. */
export const securityKeys = defineKeys({
  'raw.apparmor': { type: 'text', summary: 'Lines for the AppArmor profile, on hosts that have it' },
  'raw.idmap': {
    type: 'text',
    summary: 'Ids of the host that the instance has too, such as "both 1000 1000"',
    check: rawIdmapProblem,
  },
  'raw.lxc': { type: 'text', summary: 'Lines for the liblxc configuration', check: rawLxcProblem },
  'security.devlxd': {
    type: 'boolean',
    default: 'true',
    live: true,
    summary: 'Whether the instance has /dev/lxd, to ask about itself',
  },
  'security.devlxd.images': {
    type: 'boolean',
    default: 'false',
    live: true,
    summary: 'Whether /dev/lxd gives images to the instance',
  },
  'security.idmap.base': count('First host id of an isolated id map'),
  'security.idmap.isolated': { type: 'boolean', default: 'false', summary: 'Ids that no other instance has' },
  'security.idmap.size': count('Number of ids of an isolated id map'),
  'security.nesting': { type: 'boolean', default: 'false', summary: 'Allow containers within the instance' },
  'security.privileged': { type: 'boolean', default: 'false', summary: 'Run without an id map: root is the host’s' },
  'security.protection.delete': { type: 'boolean', default: 'false', live: true, summary: 'Refuse to delete it' },
  'security.protection.shift': { type: 'boolean', default: 'false', summary: 'Ids on disk are never shifted anyway' },
});
