import type { DeviceMap } from '#api/common.ts';
import { defineKeys, type KeyRule } from '#base/config-schema.ts';

const id: KeyRule = { type: 'integer', min: 0, max: 2 ** 32 - 2, default: '0', summary: 'Owner in the instance' };

/** Who may use a device node in the instance. */
export const ownerKeys = defineKeys({
  uid: id,
  gid: id,
  mode: {
    type: 'string',
    summary: 'Mode in octal digits, such as "0660"',
    check: value => (/^0?[0-7]{3}$/.test(value) ? undefined : 'must be octal digits such as "0660"'),
  },
});

/** What tells a device by its maker, as udev and lsusb show it. */
export const vendorKeys = defineKeys({
  vendorid: { type: 'string', summary: 'Maker of the device', check: hexProblem },
  productid: { type: 'string', summary: 'Kind of the device', check: hexProblem },
});

export function ownerOf(options: DeviceMap, usualMode = 0o660): { uid: number; gid: number; mode: number } {
  const mode = options['mode'] ? Number.parseInt(options['mode'], 8) : usualMode;
  return { uid: Number(options['uid'] || 0), gid: Number(options['gid'] || 0), mode };
}

function hexProblem(value: string): string | undefined {
  return /^[0-9a-f]{4}$/.test(value) ? undefined : 'must be four lower-case hexadecimal digits';
}
