import { expect, test } from 'vitest';
import { formatOf } from './archive-format.ts';

const tar = Buffer.alloc(512);
tar.write('ustar', 257);

test.each([
  ['gzip', Buffer.from([0x1f, 0x8b, 8])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['bzip2', Buffer.from('BZh9')],
  ['squashfs', Buffer.from('hsqs')],
  ['tar', tar],
  [undefined, Buffer.from('PK')],
  [undefined, Buffer.alloc(0)],
  [undefined, Buffer.alloc(512)],
] as const)('formatOf() knows %s by its first bytes', (format, head) => {
  expect(formatOf(head)).toBe(format);
});
