import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { installedPath } from '#base/install-root.ts';
import { kernel } from '#native/kernel.ts';

const program = installedPath('native/build/ctr-ns');
const ids = '0 1000000 65536\n';
const EBADMSG = 74;
const DONE = 0;
const FAILED = 2;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync('/var/tmp/ctr-ns-');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A helper that is spoken to byte by byte. */
class Raw {
  readonly child: ChildProcess;
  readonly #socket: number;
  readonly #replies: Buffer[] = [];
  readonly #watch: { stop(): void };
  #wake: () => void = () => undefined;

  constructor(...args: readonly string[]) {
    const [ours, theirs] = kernel.seqpacketPair();
    this.child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit', theirs] });
    closeSync(theirs);
    this.#socket = ours;
    this.#watch = kernel.watchMessages(ours, message => {
      if (message) this.#replies.push(message.data);
      this.#wake();
    });
  }

  send(hex: string, descriptors: readonly number[] = []): void {
    kernel.sendMessage(this.#socket, Buffer.from(hex, 'hex'), descriptors);
  }

  /** kind, number and value of the next reply */
  async reply(): Promise<{ kind: number; id: number; value: number }> {
    while (this.#replies.length === 0) await new Promise<void>(resolve => (this.#wake = resolve));
    const data = this.#replies.shift() ?? Buffer.alloc(12);
    return { kind: data.readUInt8(1), id: data.readUInt32LE(4), value: data.readInt32LE(8) };
  }

  async close(): Promise<number | null> {
    const ended = once(this.child, 'exit');
    this.#watch.stop();
    closeSync(this.#socket);
    const [code] = (await ended) as [number | null];
    return code;
  }
}

const header = (operation: number, flags = 0, id = 5): string => {
  const bytes = Buffer.from([1, operation, flags, 0, id, 0, 0, 0]);
  return bytes.toString('hex');
};
const u32 = (...values: readonly number[]): string =>
  values.map(value => Buffer.from(Uint32Array.of(value).buffer).toString('hex')).join('');
const target = u32(1, 0, 0);

describe('a message that makes no sense', () => {
  const long = 'ff'.repeat(60_000);
  const malformed: readonly (readonly [string, string])[] = [
    ['another version', `02${header(1).slice(2)}`],
    ['an operation that is not known', header(99)],
    ['no fields', header(1)],
    ['fields cut short', header(1) + target + u32(0, 0)],
    ['counts beyond the message', header(1) + target + u32(0, 0, 0, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff) + '0000'],
    ['strings without an end', header(1) + target + u32(0, 0, 0, 0, 1, 0) + '00006161'],
    ['no arguments', header(1) + target + u32(0, 0, 0, 0, 0, 0) + '0000'],
    ['no descriptors', header(1) + target + u32(0, 0, 0, 0, 1, 0) + '00006100'],
    ['bytes after the end', header(1) + target + u32(0, 0, 0, 0, 1, 0) + '0000610000'],
    ['more cgroups than there are', header(1) + target + u32(0, 0, 0, 40, 1, 0) + `0000${'6100'.repeat(41)}`],
    ['a mount without a path', header(3) + target + u32(0) + '2f0000'],
    ['a body in a file that is not there', header(1, 1)],
    ['a long run of ones', header(1) + long],
  ];

  test.each(malformed)('is answered as such by serve: %s', async (_what, hex) => {
    const raw = new Raw('serve', '3');
    raw.send(hex);
    expect(await raw.reply()).toEqual({ kind: FAILED, id: 5, value: EBADMSG });
    expect(await raw.close()).toBe(0);
  });

  test('that is too short for an answer is passed over', async () => {
    const raw = new Raw('serve', '3');
    for (const hex of ['01', '0101', '0104000005']) raw.send(hex);
    raw.send(header(99, 0, 6));
    expect(await raw.reply()).toMatchObject({ id: 6 });
    expect(await raw.close()).toBe(0);
  });

  test('leaves none of its descriptors open', async () => {
    const raw = new Raw('serve', '3');
    const [one, other] = kernel.pipe();
    for (let n = 0; n < 20; n++) {
      raw.send(header(99), [one, other, one, other, one]);
      await raw.reply();
    }
    closeSync(one);
    closeSync(other);
    raw.send(header(99)); // its answer comes after those of before were let go
    await raw.reply();
    expect(readdirSync(`/proc/${String(raw.child.pid)}/fd`).length).toBeLessThanOrEqual(6);
    expect(await raw.close()).toBe(0);
  });

  test.each([
    ['a pipe', () => kernel.pipe()[0]],
    ['an empty file', () => openSync(path.join(folder, 'empty'), 'w+')],
    [
      'a file with half a body',
      () => {
        const file = openSync(path.join(folder, 'half'), 'w+');
        writeSync(file, Buffer.from(target, 'hex'));
        return file;
      },
    ],
  ])('in the shape of %s as its body is refused', async (_what, open) => {
    const raw = new Raw('serve', '3');
    const descriptor = open();
    raw.send(header(1, 1), [descriptor]);
    closeSync(descriptor);
    expect(await raw.reply()).toEqual({ kind: FAILED, id: 5, value: EBADMSG });
    expect(await raw.close()).toBe(0);
  });

  test.each([
    ['an operation that is not known', header(99)],
    ['a path that is relative', `${header(2)}6100`],
    ['a path without an end', `${header(2)}2f61`],
    ['a write without descriptors', `${header(5)}${u32(0, 0, 0, 0)}2f6100`],
    ['a restore without descriptors', `${header(14)}${u32(0)}61002f6100`],
    ['a folder of no path', header(13)],
    ['a removal without a path', `${header(8)}${u32(1)}`],
  ])('is answered as such by files: %s', async (_what, hex) => {
    const raw = new Raw('files', '3', 'stopped', folder, ids, ids);
    expect(await raw.reply()).toEqual({ kind: DONE, id: 0, value: 0 });
    raw.send(hex);
    expect(await raw.reply()).toEqual({ kind: FAILED, id: 5, value: EBADMSG });
    expect(await raw.close()).toBe(0);
  });
});

describe('the program', () => {
  test('runs from a sealed copy in memory', async () => {
    const raw = new Raw('serve', '3');
    raw.send(header(99));
    await raw.reply();
    expect(readlinkSync(`/proc/${String(raw.child.pid)}/exe`)).toMatch(/^\/memfd:/);
    await raw.close();
  });

  test.each([[[]], [['serve']], [['serve', '1', '2']], [['files', '3']], [['hook']], [['nothing']]])(
    'explains itself when called with %j',
    args => {
      const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
      expect(status).toBe(2);
      expect(stderr).toMatch(/^usage: ctr-ns serve/);
    },
  );

  test.each([
    ['a root that is not there', ['stopped', '/nowhere', '', '']],
    ['a root that is a link', ['stopped', '/proc/self/cwd', ids, ids]],
    ['a process that is not there', ['running', '4194300', '1']],
    ['init of the host', ['running', '1', '1']],
    ['nothing', ['sideways', '1', '2']],
  ])('says what is wrong with %s', async (_what, args) => {
    const raw = new Raw('files', '3', ...args);
    const exited = once(raw.child, 'exit'); // it may end before its reply is read
    expect(await raw.reply()).toMatchObject({ kind: FAILED, id: 0 });
    await exited;
  });
});

describe('hook', () => {
  test.each([
    [undefined, 0, 'stop'],
    ['stop', 0, 'stop'],
    ['reboot', 1, 'reboot'],
    ['x\ny', 0, 'stop'],
  ])('after the end of a container with target %j it exits with %i and leaves the note %j', (target, status, note) => {
    const environment = target === undefined ? {} : { LXC_TARGET: target };
    expect(spawnSync(program, ['hook', folder], { env: environment }).status).toBe(status);
    expect(readFileSync(path.join(folder, 'target'), 'utf8')).toBe(note);
    expect(readdirSync(folder)).toEqual(['target']);
  });

  test('a note that stands there as a link is replaced, not followed', () => {
    const elsewhere = path.join(folder, 'elsewhere');
    writeFileSync(elsewhere, 'kept');
    symlinkSync(elsewhere, path.join(folder, 'target'));
    spawnSync(program, ['hook', folder], { env: { LXC_TARGET: 'reboot' } });
    expect(readFileSync(elsewhere, 'utf8')).toBe('kept');
    expect(readFileSync(path.join(folder, 'target'), 'utf8')).toBe('reboot');
  });

  test('without a run folder it still keeps liblxc from rebooting by itself', () => {
    expect(spawnSync(program, ['hook', '/nonexistent'], { env: { LXC_TARGET: 'reboot' } }).status).toBe(1);
  });
});
