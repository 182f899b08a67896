import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { uploadOf } from './file-headers.ts';

const upload = (headers: Readonly<Record<string, string>>): unknown => {
  const { kind, owner, append } = uploadOf({ headers, stream: Readable.from([]) });
  return { kind, owner, append };
};

describe('the headers of an upload', () => {
  test('none mean a file whose owner and mode stay', () => {
    expect(upload({})).toEqual({ kind: 'file', owner: {}, append: false });
  });

  test('all are read', () => {
    const headers = { 'x-lxd-uid': '1000', 'x-lxd-gid': '0', 'x-lxd-mode': '0640', 'x-lxd-write': 'append' };
    expect(upload(headers)).toEqual({ kind: 'file', owner: { uid: 1000, gid: 0, mode: 0o640 }, append: true });
    expect(upload({ 'x-lxd-type': 'directory', 'x-lxd-mode': '0o755' })).toMatchObject({
      kind: 'directory',
      owner: { mode: 0o755 },
    });
  });

  test.each([
    { 'x-lxd-type': 'fifo' },
    { 'x-lxd-write': 'prepend' },
    { 'x-lxd-uid': '-1' },
    { 'x-lxd-uid': '4294967295' },
    { 'x-lxd-gid': '0x10' },
    { 'x-lxd-mode': '0999' },
    { 'x-lxd-mode': '100644' },
  ])('%j are refused', headers => {
    expect(() => upload(headers)).toThrow(expect.objectContaining({ code: 'invalid-argument' }) as Error);
  });
});
