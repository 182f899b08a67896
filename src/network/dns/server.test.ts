import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '#base/log.ts';
import { packEntry } from './record-data.ts';
import { DnsServer, type ZonePeer } from './server.ts';
import { packName, packRecord, parseQuery, Reader, recordTypes } from './wire.ts';

const key = { name: 'lab.test_one', secret: Buffer.from('secretsecret') };
const hosts = Array.from({ length: 1000 }, (_, index) => ({
  ...packEntry('A', `10.9.${String(index >> 8)}.${String(index & 255)}`),
  name: `c${String(index)}.lab.test`,
  ttl: 300,
}));
const zone = { name: 'lab.test', nameServers: ['ns1.lab.test'], records: hosts };

let peers: readonly ZonePeer[];
let server: DnsServer;
beforeEach(async () => {
  peers = [{ address: '127.0.0.1', key: undefined }];
  const source = {
    peers: async (name: string) => (name === zone.name ? peers : undefined),
    content: async (name: string) => (name === zone.name ? zone : undefined),
  };
  server = await DnsServer.open(source, silentLog, '127.0.0.1', 0);
});
afterEach(() => server.close());

function query(name: string, type: number): Buffer {
  const header = Buffer.from('abcd01000001000000000000', 'hex');
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(type, 0);
  tail.writeUInt16BE(1, 2);
  return Buffer.concat([header, packName(name), tail]);
}

function signed(message: Buffer, { name, secret }: typeof key, time = Math.floor(Date.now() / 1000)): Buffer {
  const timers = Buffer.alloc(8);
  timers.writeUIntBE(time, 0, 6);
  timers.writeUInt16BE(300, 6);
  const algorithm = packName('hmac-sha256');
  const variables = Buffer.concat([
    packName(name),
    Buffer.from('00ff00000000', 'hex'),
    algorithm,
    timers,
    Buffer.alloc(4),
  ]);
  const mac = createHmac('sha256', secret).update(message).update(variables).digest();
  const data = Buffer.concat([
    algorithm,
    timers,
    Buffer.from('0020', 'hex'),
    mac,
    message.subarray(0, 2),
    Buffer.alloc(4),
  ]);
  const whole = Buffer.concat([message, packRecord({ name, type: recordTypes.TSIG, class: 255, ttl: 0, data })]);
  whole.writeUInt16BE(1, 10);
  return whole;
}

async function overTcp(...messages: readonly Buffer[]): Promise<readonly Buffer[]> {
  const socket = connect(server.port, '127.0.0.1');
  for (const message of messages) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    socket.write(Buffer.concat([length, message]));
  }
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    socket.setTimeout(150, () => socket.destroy());
  });
  socket.setTimeout(1500, () => socket.destroy());
  await once(socket, 'close');
  const answers: Buffer[] = [];
  for (let all = Buffer.concat(chunks); all.length > 0; all = all.subarray(2 + all.readUInt16BE(0))) {
    answers.push(all.subarray(2, 2 + all.readUInt16BE(0)));
  }
  return answers;
}

function codeOf(answer: Buffer | undefined): number | undefined {
  return answer && answer.readUInt16BE(2) & 0xf;
}

function recordsOf(answers: readonly Buffer[]): readonly { readonly name: string; readonly type: number }[] {
  return answers.flatMap(answer => {
    const reader = new Reader(answer, 12);
    if (answer.readUInt16BE(4) === 1) {
      reader.name();
      reader.uint32();
    }
    return Array.from({ length: answer.readUInt16BE(6) }, () => reader.record());
  });
}

describe('a DNS server', () => {
  test('hands a zone whole to its peer, in several messages', async () => {
    const answers = await overTcp(query('LAB.test', recordTypes.AXFR));
    expect(answers.length).toBeGreaterThan(1);
    const records = recordsOf(answers);
    expect(records.map(({ type }) => type).filter(type => type === recordTypes.SOA)).toHaveLength(2);
    expect(records).toHaveLength(hosts.length + 3);
    expect([records[0]?.type, records[1]?.type, records.at(-1)?.type]).toEqual([6, 2, 6]);
  });

  test('tells the SOA over UDP and nothing else', async () => {
    const socket = createSocket('udp4');
    const ask = async (message: Buffer): Promise<Buffer> => {
      socket.send(message, server.port, '127.0.0.1');
      return (await once(socket, 'message'))[0] as Buffer;
    };
    expect(recordsOf([await ask(query('lab.test', recordTypes.SOA))]).map(({ type }) => type)).toEqual([6]);
    expect(codeOf(await ask(query('lab.test', recordTypes.AXFR)))).toBe(5);
    expect(codeOf(await ask(query('c1.lab.test', recordTypes.A)))).toBe(4);
    expect(codeOf(await ask(query('other.test', recordTypes.SOA)))).toBe(3);
    expect(codeOf(await ask(query('lab.test', recordTypes.SOA).subarray(0, 20)))).toBe(1);
    socket.close();
  });

  test.each([
    ['another address', [{ address: '192.0.2.1', key: undefined }]],
    ['nobody', []],
    ['a peer without address and key', [{ address: undefined, key: undefined }]],
    ['one with a key', [{ address: '127.0.0.1', key }]],
  ] as const)('tells nothing when the zone is for %s', async (_who, others) => {
    peers = others;
    const answers = await overTcp(query('lab.test', recordTypes.AXFR), query('lab.test', recordTypes.SOA));
    expect(answers.map(codeOf)).toEqual([3, 3]);
    expect(recordsOf(answers)).toEqual([]);
  });

  test('signatures must be of the right key, whole and fresh', async () => {
    peers = [{ address: undefined, key }];
    const plain = query('lab.test', recordTypes.SOA);
    const good = signed(plain, key);
    const changed = Buffer.from(good);
    changed[0] = 0;
    const altered = Buffer.from(good);
    altered.writeUInt16BE(recordTypes.AXFR, plain.length - 4);
    const stale = signed(plain, key, Math.floor(Date.now() / 1000) - 400);
    const foreign = signed(plain, { ...key, secret: Buffer.from('other') });
    const renamed = signed(plain, { ...key, name: 'lab.test_two' });
    const answers = await overTcp(good, changed, altered, stale, foreign, renamed);
    // the id may be another's, as a forwarder's: the original one is signed
    expect(answers.map(codeOf)).toEqual([0, 0, 3, 3, 3, 3]);
    expect(answers[0]?.includes(packName('hmac-sha256'))).toBe(true);
  });
});

describe('queries', () => {
  test.each([
    ['nothing', ''],
    ['half a header', 'abcd0100'],
    ['two questions', 'abcd01000002000000000000036c6162000001000100000100'],
    ['a response', 'abcd81000001000000000000036c61620000010001'],
    ['a name that points to itself', 'abcd01000001000000000000c00c00010001'],
    ['a name that points forward', 'abcd01000001000000000000c02000010001'],
    ['a label that is too long', `abcd0100000100000000000040${'61'.repeat(64)}0000010001`],
    ['a name that does not end', `abcd01000001000000000000${'0161'.repeat(200)}0000010001`],
    ['bytes after the end', 'abcd01000001000000000000036c6162000001000100'],
    ['control characters', 'abcd01000001000000000000030a61620000010001'],
  ])('%s is no query', (_what, hex) => {
    expect(parseQuery(Buffer.from(hex, 'hex'))).toBeUndefined();
  });
});

describe('entries', () => {
  test.each([
    ['A', '1.2.3.4', '01020304'],
    ['aaaa', '2001:db8::1', '20010db8000000000000000000000001'],
    ['CNAME', 'a.test.', '0161047465737400'],
    ['MX', '10 a.test', '000a0161047465737400'],
    ['SRV', '1 2 80 a', '00010002005001 6100'],
    ['TXT', 'a "b \\"c"', '01610462202263'],
    ['CAA', '0 issue "ca"', '000569737375656361'],
    ['SSHFP', '1 1 0aff', '01010aff'],
  ])('%s %s', (type, value, hex) => {
    expect(packEntry(type, value).data.toString('hex')).toBe(hex.replace(/\s/g, ''));
  });

  test.each([
    ['A', '1.2.3'],
    ['A', '1.2.3.4 5'],
    ['FOO', 'x'],
    ['__proto__', 'x'],
    ['CNAME', 'bad name'],
    ['CNAME', `${'a'.repeat(64)}.test`],
    ['MX', 'mail.test'],
    ['MX', '70000 mail.test'],
    ['TXT', '"open'],
    ['TXT', 'x'.repeat(256)],
    ['SOA', 'x'],
    ['SSHFP', '1 1 0af'],
    ['CAA', '0 is-sue "x"'],
  ])('%s %s is refused', (type, value) => {
    expect(() => packEntry(type, value)).toThrow(RangeError);
  });
});
