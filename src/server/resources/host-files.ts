import { readdir, readFile, realpath } from 'node:fs/promises';
import path from 'node:path';

/** Text files and folders of /proc and /sys; what a kernel or machine lacks reads as absent. */
export class HostFiles {
  readonly #root: string;

  /** `root` is "/" unless a test brings its own tree */
  constructor(root = '/') {
    this.#root = root;
  }

  /** Trimmed text, or "" when there is no such file. */
  async text(...parts: readonly string[]): Promise<string> {
    try {
      return (await readFile(path.join(this.#root, ...parts), 'utf8')).trim();
    } catch {
      return '';
    }
  }

  /** A decimal or 0x number, or `otherwise`. */
  async number(parts: readonly string[], otherwise = 0): Promise<number> {
    const value = Number((await this.text(...parts)) || Number.NaN);
    return Number.isFinite(value) ? value : otherwise;
  }

  /** Names in a folder, in natural order; none when there is no such folder. */
  async names(...parts: readonly string[]): Promise<readonly string[]> {
    try {
      const names = await readdir(path.join(this.#root, ...parts));
      return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    } catch {
      return [];
    }
  }

  /** Where a link leads in the end, or "". */
  async target(...parts: readonly string[]): Promise<string> {
    try {
      return await realpath(path.join(this.#root, ...parts));
    } catch {
      return '';
    }
  }
}

/** PCI address in a device's path such as /sys/devices/pci0000:00/0000:00:03.0/virtio0, or "". */
export function pciAddress(devicePath: string): string {
  return devicePath.match(/[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7](?![^/])/g)?.at(-1) ?? '';
}

/** The same for USB: bus and device number such as "1:4", or "". */
export async function usbAddress(files: HostFiles, devicePath: string): Promise<string> {
  const folder = /^.*\/usb\d+\/\d[\d.-]*(?=\/|$)/.exec(devicePath)?.[0];
  if (folder === undefined) return '';
  return `${String(await files.number([folder, 'busnum']))}:${String(await files.number([folder, 'devnum']))}`;
}
