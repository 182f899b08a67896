import type { Readable } from 'node:stream';
import { BadPacket, longestPacket } from './packets.ts';

/** Packets of a byte stream without their lengths; throws BadPacket for one that is empty or too long. */
export async function* packetsOf(stream: Readable): AsyncGenerator<Buffer, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const part of stream) {
    rest = rest.length === 0 ? (part as Buffer) : Buffer.concat([rest, part as Buffer]);
    while (rest.length >= 4) {
      const length = rest.readUInt32BE();
      if (length === 0 || length > longestPacket) throw new BadPacket(`a packet has ${String(length)} bytes`);
      if (rest.length < 4 + length) break;
      yield rest.subarray(4, 4 + length);
      rest = rest.subarray(4 + length);
    }
  }
}
