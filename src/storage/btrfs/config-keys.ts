import { defineKeys } from '#base/config-schema.ts';

/** Options that would undo what the pool needs of its mount, or that name other devices and trees. */
const refusedOptions = /^(ro|nosuid|nodev|noexec|subvol(id)?=.*|device=.*|degraded|bind|remount|move)$/;

export const btrfsKeys = defineKeys({
  source: { type: 'string', summary: 'Block device, empty folder on btrfs, or nothing for a loop file' },
  'source.wipe': { type: 'boolean', default: 'false', summary: 'Format the block device whatever it holds' },
  size: { type: 'size', min: 110 * 2 ** 20, summary: 'Size of the loop file' },
  'btrfs.mount_options': {
    type: 'string',
    default: 'user_subvol_rm_allowed',
    summary: 'Mount options of a block device or loop file',
    check: value => {
      const bad = value.split(',').find(word => !/^[a-z0-9_=:-]+$/.test(word) || refusedOptions.test(word));
      return bad === undefined ? undefined : `must not hold the option "${bad}"`;
    },
  },
});
