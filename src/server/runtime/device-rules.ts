import type { DeviceNumber } from './runtime.ts';

/** The host's console; containers have a terminal of their own there. */
export const consoleDevice = 'c 5:1 rwm';

/** What every container may use, in the words of the devices cgroup: make nodes of any kind, and use harmless ones. */
export const usualDevices: readonly string[] = [
  'b *:* m',
  'c *:* m',
  'c 1:3 rwm', // null
  'c 1:5 rwm', // zero
  'c 1:7 rwm', // full
  'c 1:8 rwm', // random
  'c 1:9 rwm', // urandom
  'c 5:0 rwm', // tty
  consoleDevice,
  'c 5:2 rwm', // ptmx
  'c 136:* rwm', // terminals
  'c 10:200 rwm', // net/tun
  'c 10:229 rwm', // fuse
];

/** The rule for one device. */
export function deviceRule({ kind, major, minor }: DeviceNumber): string {
  return `${kind === 'block' ? 'b' : 'c'} ${String(major)}:${String(minor)} rwm`;
}
