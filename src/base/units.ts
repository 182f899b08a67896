const factors: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  bit: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  PB: 1e15,
  EB: 1e18,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  PiB: 2 ** 50,
  EiB: 2 ** 60,
};

/**
 * Bytes of a size such as "10GiB", "512MB" or "4096", by LXD's suffixes.
 * Undefined when it is not a size, is negative, or is beyond 2^53 - 1 bytes.
 */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,16})([A-Za-z]{0,3})$/.exec(text);
  if (!match) return undefined;
  const factor = factors[match[2] ?? ''];
  if (factor === undefined) return undefined;
  const bytes = Number(match[1]) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A size for people, with binary units and two decimals as LXD prints: 1.50GiB. */
export function formatSize(bytes: number, decimals = 2): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${String(value)}B` : `${value.toFixed(decimals)}${units[unit] ?? ''}`;
}
