/** A member of a test archive; names go in as they are, however evil. */
export interface Entry {
  readonly name: string;
  /** ustar type flag, "0" (file) unless given */
  readonly type?: string;
  readonly link?: string;
  readonly content?: string | Buffer;
  readonly mode?: number;
  /** what the header says, when it lies */
  readonly size?: number;
}

/** An uncompressed ustar archive of exactly these members. */
export function makeTar(entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries.map(member), Buffer.alloc(1024)]);
}

/** Records of a pax header. */
export function paxRecords(records: Readonly<Record<string, string>>): string {
  return Object.entries(records)
    .map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`);
      let length = rest + 1;
      while (String(length).length + rest !== length) length = String(length).length + rest;
      return `${String(length)} ${key}=${value}\n`;
    })
    .join('');
}

function member({ name, type = '0', link = '', content = '', mode = 0o644, size }: Entry): Buffer {
  const body = Buffer.from(content);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${(size ?? body.length).toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(link, 157, 100);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}
