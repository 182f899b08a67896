import { parseAddress } from '../ip-address.ts';
import { packName, recordTypes } from './wire.ts';

type Packer = (words: readonly Word[]) => Buffer;

interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/** Types of entries that people may write, each with how its value is packed. */
const packers: Readonly<Record<string, Packer>> = {
  A: words => address(words, 4),
  AAAA: words => address(words, 6),
  CNAME: words => onlyName(words),
  NS: words => onlyName(words),
  PTR: words => onlyName(words),
  MX: words => Buffer.concat([numbers(words, ['preference'], [2]), name(words, 1, 2)]),
  SRV: words => Buffer.concat([numbers(words, ['priority', 'weight', 'port'], [2, 2, 2]), name(words, 3, 4)]),
  TXT: words => Buffer.concat(words.map(({ text }) => characterString(text))),
  CAA: words => {
    const [, tag, value] = words;
    if (words.length !== 3 || !tag || !value || !/^[A-Za-z0-9]{1,15}$/.test(tag.text))
      throw new RangeError('bad CAA value');
    return Buffer.concat([numbers(words, ['flags'], [1]), characterString(tag.text), Buffer.from(value.text, 'utf8')]);
  },
  SSHFP: words => Buffer.concat([numbers(words, ['algorithm', 'type'], [1, 1]), hex(words, 2)]),
  TLSA: words => Buffer.concat([numbers(words, ['usage', 'selector', 'matching type'], [1, 1, 1]), hex(words, 3)]),
};

/** The number and data of a record, from type and value as a zone file has them (RFC 1035, 5); throws RangeError. */
export function packEntry(type: string, value: string): { readonly type: number; readonly data: Buffer } {
  const word = type.toUpperCase();
  const pack = Object.hasOwn(packers, word) ? packers[word] : undefined;
  if (!pack) throw new RangeError(`unknown record type "${type}": this server has ${Object.keys(packers).join(', ')}`);
  const words = split(value);
  if (words.length === 0) throw new RangeError(`the value of a record of type ${word} is missing`);
  const data = pack(words);
  if (data.length > 4096) throw new RangeError('the value is too long');
  return { type: recordTypes[word as keyof typeof recordTypes], data };
}

function split(value: string): readonly Word[] {
  const words: Word[] = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))/gy;
  while (pattern.lastIndex < value.trimEnd().length) {
    const match = pattern.exec(value.trimEnd());
    if (!match) throw new RangeError('quotes do not match');
    const quoted = match[1] !== undefined;
    words.push({ text: quoted ? (match[1] ?? '').replace(/\\(.)/g, '$1') : (match[2] ?? ''), quoted });
  }
  return words;
}

function address(words: readonly Word[], family: 4 | 6): Buffer {
  const found = words.length === 1 ? parseAddress(words[0]?.text ?? '', family) : undefined;
  if (!found)
    throw new RangeError(`"${words.map(({ text }) => text).join(' ')}" is not an IPv${String(family)} address`);
  return Buffer.from(found.value.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex');
}

function onlyName(words: readonly Word[]): Buffer {
  return name(words, 0, 1);
}

/** The name at a place, which must be the last of so many words. */
function name(words: readonly Word[], at: number, count: number): Buffer {
  const { text = '' } = words[at] ?? {};
  if (words.length !== count || !/^[A-Za-z0-9_*-][A-Za-z0-9_.*-]*$/.test(text)) {
    throw new RangeError(
      `"${words
        .slice(at)
        .map(word => word.text)
        .join(' ')}" is not a name`,
    );
  }
  return packName(text);
}

function numbers(words: readonly Word[], what: readonly string[], sizes: readonly (1 | 2)[]): Buffer {
  return Buffer.concat(
    sizes.map((size, index) => {
      const text = words[index]?.text ?? '';
      if (!/^\d{1,5}$/.test(text) || Number(text) >= 256 ** size) {
        throw new RangeError(`bad ${what[index] ?? 'number'} "${text}"`);
      }
      const bytes = Buffer.alloc(size);
      bytes.writeUIntBE(Number(text), 0, size);
      return bytes;
    }),
  );
}

function hex(words: readonly Word[], from: number): Buffer {
  const text = words
    .slice(from)
    .map(word => word.text)
    .join('');
  if (!/^([0-9A-Fa-f]{2})+$/.test(text)) throw new RangeError(`"${text}" is not hexadecimal`);
  return Buffer.from(text, 'hex');
}

function characterString(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > 255) throw new RangeError('a text is longer than 255 bytes');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
