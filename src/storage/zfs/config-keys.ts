import { parseSize } from '#base/units.ts';
import { defineKeys, type KeyTable } from '#base/config-schema.ts';
import { asDefaults } from '../volume-keys.ts';

const poolName = /^[A-Za-z][\w.:-]*(\/[\w.:-]+)*$/;

/** Of custom volumes; what a pool sets defaults of holds for root volumes and images too. */
export const zfsVolumeKeys: KeyTable = defineKeys({
  'zfs.blocksize': {
    type: 'size',
    min: 512,
    summary: 'Largest block of what is written: a power of two from 512 bytes to 16 MiB',
    check: blockSizeProblem,
  },
  'zfs.remove_snapshots': {
    type: 'boolean',
    summary: 'Has no effect: restoring an older snapshot keeps the newer ones',
  },
  'zfs.use_refquota': { type: 'boolean', summary: 'The limit of size does not count snapshots' },
  'zfs.reserve_space': { type: 'boolean', summary: 'Reserve the space of a volume with a size' },
  'zfs.block_mode': {
    type: 'boolean',
    summary: 'Not available: volumes are datasets',
    check: value => (/^(true|1|yes|on)$/i.test(value) ? 'cannot be set: volumes here are datasets' : undefined),
  },
});

export const zfsKeys: KeyTable = defineKeys({
  source: { type: 'string', summary: 'Block device, existing zpool or dataset, or nothing for a loop file' },
  'source.wipe': { type: 'boolean', default: 'false', summary: 'Make the zpool whatever the block device holds' },
  size: { type: 'size', min: 64 * 2 ** 20, summary: 'Size of the loop file' },
  'zfs.pool_name': {
    type: 'string',
    summary: 'Name of the zpool, or of the dataset in one',
    check: value => (poolName.test(value) ? undefined : 'must be the name of a zpool or a dataset'),
  },
  'zfs.clone_copy': {
    type: 'string',
    default: 'true',
    summary: 'Copies are clones ("true"), whole copies ("false"), or differ from the image only ("rebase")',
    check: value => (/^(true|false|rebase)$/.test(value) ? undefined : 'must be "true", "false" or "rebase"'),
  },
  'zfs.export': { type: 'boolean', default: 'true', summary: 'Export the zpool when the server lets go of it' },
  ...asDefaults(zfsVolumeKeys),
});

function blockSizeProblem(value: string): string | undefined {
  const bytes = parseSize(value) ?? 0;
  const good = bytes >= 512 && bytes <= 16 * 2 ** 20 && Number.isInteger(Math.log2(bytes));
  return good ? undefined : 'must be a power of two from 512 bytes to 16 MiB';
}
