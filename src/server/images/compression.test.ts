import { describe, expect, test } from 'vitest';
import { parseCompression } from './compression.ts';

describe('parseCompression', () => {
  test.each(['gzip', 'gzip -9', 'xz -e', 'zstd -19', 'bzip2', 'pigz -1'])('takes %s', text => {
    expect(parseCompression(text).program).toBe(text.split(' ')[0]);
  });
  test('packs nothing with none, and a file system with squashfs', () => {
    expect(parseCompression('none')).toEqual({ program: undefined, args: [], squashfs: false });
    expect(parseCompression('squashfs').squashfs).toBe(true);
  });
  test.each(['', 'rm -rf', 'gzip --force', 'gzip -9 file', 'xz --files=/etc/shadow', 'none -1', 'zstd -20', '../gzip'])(
    'refuses "%s"',
    text => {
      expect(() => parseCompression(text)).toThrow(/compression_algorithm/);
    },
  );
});
