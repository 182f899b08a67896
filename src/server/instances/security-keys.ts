import { defineKeys, type KeyRule, parseBoolean } from '#base/config-schema.ts';
import { rawIdmapProblem } from './raw-idmap.ts';
import { rawLxcProblem } from './raw-lxc.ts';

/** A key of LXD's that has no behaviour here: only the value that says what happens anyway is taken. */
const notYet = (summary: string, inForce?: string): KeyRule => ({
  type: 'string',
  summary,
  ...(inForce !== undefined && { default: inForce }),
  check: value => {
    const same = value === inForce || (parseBoolean(value) !== undefined && String(parseBoolean(value)) === inForce);
    return same ? undefined : `is not supported yet${inForce === undefined ? '' : ` (only "${inForce}" is)`}`;
  },
});

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
  'raw.seccomp': notYet('Whole seccomp policy'),
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
  'security.syscalls.*': notYet('System calls that are refused or intercepted'),
  'security.syscalls.deny_default': notYet('Refuse the usual dangerous system calls', 'true'),
});
