import { describe, expect, test } from 'vitest';
import { decodeReply, encodeHeader, Fields } from './namespace-protocol.ts';

describe('Fields', () => {
  test('puts numbers and strings one after the other', () => {
    const bytes = new Fields()
      .u32(1, 0xffff_ffff)
      .u64(2 ** 40)
      .strings('ä', '')
      .bytes();
    expect(bytes.toString('hex')).toBe('01000000ffffffff0000000000010000c3a40000');
  });

  test('refuses a string that would end early', () => {
    expect(() => new Fields().strings('a\0b')).toThrow(/NUL/);
  });
});

test('encodeHeader() says the version, the operation and where the body is', () => {
  expect(encodeHeader(3, 258, true).toString('hex')).toBe('0103010002010000');
});

describe('decodeReply()', () => {
  test('reads kind, number, value and payload', () => {
    const message = Buffer.from('01020000070000000200000061', 'hex');
    expect(decodeReply(message)).toEqual({ kind: 'failed', id: 7, value: 2, payload: Buffer.from('a') });
  });

  test.each(['', '01', '0200000007000000020000', '020000000700000002000000', '010900000700000002000000'])(
    'knows that %j is no reply',
    hex => {
      expect(decodeReply(Buffer.from(hex, 'hex'))).toBeUndefined();
    },
  );
});
