import type { DevicesMap } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import type { Reader } from '#server/database/database.ts';
import { listNics, networkOfNic } from '#server/database/network-nics.ts';

const exclusive = ['ipv4.address', 'ipv6.address', 'hwaddr'] as const;

/**
 * Throws "failed-precondition" when another NIC of the same network has an address of these devices, by config: two
 * guests with one address cut each other off. A copy has its original's, and may not start before they are changed.
 */
export async function checkFreeAddresses(
  reader: Reader,
  instance: { readonly project: string; readonly name: string },
  devices: DevicesMap,
): Promise<void> {
  const wanted = Object.entries(devices).flatMap(([device, options]) => {
    const network = networkOfNic(options);
    const keys = exclusive.filter(key => options[key] && options[key] !== 'none');
    return network === undefined || keys.length === 0 ? [] : [{ device, options, network, keys }];
  });
  if (wanted.length === 0) return;
  const others = await listNics(reader);
  for (const { device, options, network, keys } of wanted) {
    for (const other of others) {
      const own = other.project === instance.project && other.instance === instance.name;
      if (other.network !== network || own) continue;
      const key = keys.find(key => other.options[key]?.toLowerCase() === options[key]?.toLowerCase());
      if (key === undefined) continue;
      const what = key === 'hwaddr' ? 'MAC address' : 'IP address';
      const where = `device "${other.device}" of instance "${other.instance}"`;
      const message = `Device "${device}": ${what} "${options[key] ?? ''}" already defined on another NIC, ${where}`;
      throw new ApiError('failed-precondition', message);
    }
  }
}
