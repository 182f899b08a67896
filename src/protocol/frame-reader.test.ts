import { expect, test } from 'vitest';
import { FrameReader, headerRoom, writeHeader } from './frame-reader.ts';

interface Frame {
  readonly opcode: number;
  readonly fin?: boolean;
  readonly mask?: Buffer;
  readonly payload: Buffer;
}

function render({ opcode, fin = true, mask, payload }: Frame): Buffer {
  const long = payload.length > 65_535 ? 8 : payload.length > 125 ? 2 : 0;
  const head = Buffer.alloc(2 + long);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = (mask ? 0x80 : 0) | (long === 8 ? 127 : long === 2 ? 126 : payload.length);
  if (long === 2) head.writeUInt16BE(payload.length, 2);
  if (long === 8) head.writeBigUInt64BE(BigInt(payload.length), 2);
  const body = Buffer.from(payload.map((byte, index) => byte ^ (mask?.[index % 4] ?? 0)));
  return Buffer.concat([head, mask ?? Buffer.alloc(0), body]);
}

function read(bytes: Buffer, size: number): { readonly data: string; readonly other: string } {
  const data: Buffer[] = [];
  const other: Buffer[] = [];
  const reader = new FrameReader({
    data: part => data.push(Buffer.from(part)),
    other: part => other.push(Buffer.from(part)),
  });
  for (let at = 0; at < bytes.length; at += size) reader.push(Buffer.from(bytes.subarray(at, at + size)));
  return { data: Buffer.concat(data).toString(), other: Buffer.concat(other).toString('hex') };
}

const mask = Buffer.from([1, 2, 3, 4]);
const ping = render({ opcode: 9, payload: Buffer.from('keepalive') });
const text = render({ opcode: 1, payload: Buffer.alloc(0) });

test.each([1, 3, 7, 1000, 2 ** 20])('binary messages come out, all else as it is, in chunks of %i bytes', size => {
  const long = Buffer.alloc(70_000, 'x');
  const frames = [
    render({ opcode: 2, payload: Buffer.from('one ') }),
    ping,
    render({ opcode: 2, fin: false, mask, payload: Buffer.from('half ') }),
    ping,
    render({ opcode: 0, mask, payload: Buffer.from('whole ') }),
    text,
    render({ opcode: 2, payload: Buffer.alloc(300, 'y') }),
    render({ opcode: 2, mask: Buffer.alloc(4), payload: long }),
  ];
  const { data, other } = read(Buffer.concat(frames), size);
  expect(data).toBe(`one half whole ${'y'.repeat(300)}${long.toString()}`);
  expect(other).toBe(Buffer.concat([ping, ping, text]).toString('hex'));
});

test('a message of text in parts, and one with a bit that was not agreed on, are no data', () => {
  const parts = [
    render({ opcode: 1, fin: false, payload: Buffer.from('a') }),
    render({ opcode: 0, payload: Buffer.from('b') }),
    render({ opcode: 2 | 0x40, payload: Buffer.from('compressed') }),
  ];
  expect(read(Buffer.concat(parts), 5)).toEqual({ data: '', other: Buffer.concat(parts).toString('hex') });
});

test.each([true, false])('what is written is what is read (masked: %s)', masked => {
  const frame = Buffer.alloc(headerRoom(masked) + 5, 'hello');
  frame.write('hello', headerRoom(masked));
  writeHeader(frame, 5, masked);
  expect(read(frame, 4).data).toBe('hello');
});
