import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { FileServer } from './runtime.ts';
import { placeNames, useFilePlaces } from './testing/file-places.ts';
import { testIdmap } from './testing/tiny-container.ts';

const mebibyte = 2 ** 20;
const corePattern = '/proc/sys/kernel/core_pattern';
const host = useFilePlaces();
const { servers, places } = host;

async function text(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

const from = (content: string): Readable => Readable.from([Buffer.from(content)]);

describe.each(placeNames)('files of an instance that is %s', name => {
  let files: FileServer;
  let rootfs: string;
  beforeAll(async () => {
    const place = places.get(name);
    if (!place) throw new Error(`No place ${name}`);
    rootfs = place.rootfs;
    files = await servers.open(place);
  });
  afterAll(async () => await files.close());
  afterEach(() => {
    expect(readdirSync(path.join(rootfs, 'root')).filter(entry => entry.startsWith('.new-'))).toEqual([]);
  });

  test('a new file is whole and has the owner and mode asked for, on disk too', async () => {
    await files.write('/root/new', from('content'), { uid: 1000, gid: 1001, mode: 0o640 });
    const { entry, stream } = await files.read('/root/new');
    expect(entry).toMatchObject({ kind: 'file', uid: 1000, gid: 1001, mode: 0o640, size: 7 });
    expect(await text(stream)).toBe('content');
    const { uid, gid } = lstatSync(path.join(rootfs, 'root/new'));
    expect({ uid, gid }).toEqual({ uid: 1000, gid: 1001 });
  });

  test('writing again keeps owner and mode that nobody gives', async () => {
    await files.write('/root/new', from('other'), { gid: 5 });
    expect(await files.stat('/root/new')).toMatchObject({ uid: 1000, gid: 5, mode: 0o640, size: 5 });
    await files.write('/root/new', from(' more'), {}, true);
    expect(await text((await files.read('/root/new')).stream)).toBe('other more');
    await files.write('/root/plain', from(''), {});
    expect(await files.stat('/root/plain')).toMatchObject({ uid: 0, gid: 0, mode: 0o644, size: 0 });
  });

  test('an open file is read and written at any place', async () => {
    const made = await files.open('/root/open', { read: true, write: true, create: true }, { uid: 7, mode: 0o600 });
    await made.write(3, Buffer.from('abc'));
    expect((await made.read(2, 10)).toString()).toBe('\0abc');
    expect(await made.size()).toBe(6);
    await made.close();
    expect(await files.stat('/root/open')).toMatchObject({ uid: 7, gid: 0, mode: 0o600, size: 6 });
    const again = { create: true, exclusive: true, write: true };
    await expect(files.open('/root/open', again, {})).rejects.toMatchObject({ code: 'already-exists' });
    await expect(files.open('/root/nothere', { read: true }, {})).rejects.toMatchObject({ code: 'not-found' });
    await (await files.open('/root/open', { write: true, truncate: true }, {})).close();
    expect(await files.stat('/root/open')).toMatchObject({ size: 0 });
  });

  test('nothing but regular files of the instance is opened, whatever its links say', async () => {
    for (const trap of ['absolute', 'upwards', 'magic', 'loop', 'fifo', 'null', 'disk'])
      await expect(files.open(`/traps/${trap}`, { read: true, write: true }, {})).rejects.toThrow();
    await expect(files.open(corePattern, { write: true }, {})).rejects.toThrow();
    await expect(files.setAttributes('/traps/magic/etc', { owner: { mode: 0o777 } })).rejects.toThrow();
  });

  test('size, owner, mode and times of a file are changed, of a link its owner', async () => {
    await files.write('/root/attributes', from('content'), {});
    const times = { accessed: 1_000_000, modified: 2_000_000 };
    await files.setAttributes('/root/attributes', { size: 4, owner: { uid: 3, gid: 4, mode: 0o604 }, times });
    const expected = { size: 4, uid: 3, gid: 4, mode: 0o604, modified: 2_000_000 };
    expect(await files.stat('/root/attributes')).toMatchObject(expected);
    await files.makeLink('/root/to-attributes', 'attributes');
    await files.setAttributes('/root/to-attributes', { owner: { uid: 9 } }, false);
    expect(await files.stat('/root/to-attributes')).toMatchObject({ kind: 'symlink', uid: 9 });
    expect(await files.stat('/root/attributes')).toMatchObject({ uid: 3 });
  });

  test('a file is renamed, over another one only when asked', async () => {
    await files.write('/root/one', from('1'), {});
    await files.write('/root/two', from('2'), {});
    await expect(files.rename('/root/one', '/root/two', false)).rejects.toMatchObject({ code: 'already-exists' });
    await files.rename('/root/one', '/root/two', true);
    expect(await text((await files.read('/root/two')).stream)).toBe('1');
    await expect(files.stat('/root/one')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a write that breaks off changes nothing', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.alloc(100_000, 'x');
        await delay(10);
        throw new Error('the client went away');
      })(),
    );
    await expect(files.write('/root/new', broken, {})).rejects.toThrow('went away');
    await delay(50);
    expect(await text((await files.read('/root/new')).stream)).toBe('other more');
  });

  test('a link is written through, even when nothing is there yet', async () => {
    await files.makeLink('/root/link', 'pointed');
    await files.write('/root/link', from('through'), {});
    expect(await files.readLink('/root/link')).toBe('pointed');
    expect(await files.stat('/root/link')).toMatchObject({ kind: 'symlink' });
    expect(await files.stat('/root/link', true)).toMatchObject({ kind: 'file', size: 7 });
    expect(readFileSync(path.join(rootfs, 'root/pointed'), 'utf8')).toBe('through');
    await expect(files.makeLink('/root/link', 'again')).rejects.toMatchObject({ code: 'already-exists' });
  });

  test('a directory is made once and listed', async () => {
    await files.makeDirectory('/root/dir', { uid: 7, mode: 0o2750 });
    await files.makeDirectory('/root/dir', {});
    expect(await files.stat('/root/dir')).toMatchObject({ kind: 'directory', uid: 7, mode: 0o2750 });
    for (const entry of ['b', 'a', 'ä']) await files.write(`/root/dir/${entry}`, from(''), {});
    expect(await files.list('/root/dir')).toEqual(['a', 'b', 'ä']);
    await expect(files.remove('/root/dir')).rejects.toMatchObject({ code: 'failed-precondition' });
    await files.remove('/root/dir', true);
    await expect(files.remove('/root/dir')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('what is in a directory is told with kind, owner, size and target', async () => {
    const entries = new Map((await files.listEntries('/traps')).map(entry => [entry.name, entry]));
    expect([...entries.keys()]).toEqual(await files.list('/traps'));
    expect(entries.get('fifo')).toMatchObject({ kind: 'other', special: 'pipe', uid: 0, gid: 0 });
    expect(entries.get('null')).toMatchObject({ kind: 'other', special: 'char-device' });
    expect(entries.get('magic')).toMatchObject({ kind: 'symlink', target: '/proc/1/root' });
    const [passwd] = (await files.listEntries('/etc')).filter(({ name }) => name === 'passwd');
    expect(passwd).toEqual({ name: 'passwd', ...(await files.stat('/etc/passwd')) });
    await expect(files.listEntries('/etc/passwd')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a change gives a file another identity, a look at it does not', async () => {
    await files.write('/root/touched', from('1'), {});
    const before = await files.stat('/root/touched');
    await text((await files.read('/root/touched')).stream);
    expect((await files.stat('/root/touched')).identity).toBe(before.identity);
    await files.setAttributes('/root/touched', { times: { accessed: 1, modified: before.modified } });
    expect((await files.stat('/root/touched')).identity).not.toBe(before.identity);
    await files.remove('/root/touched');
  });

  test('many names come in parts', async () => {
    mkdirSync(path.join(rootfs, 'root/many'));
    const names = Array.from({ length: 3000 }, (_, n) => `${'n'.repeat(40)}${String(n).padStart(5, '0')}`);
    for (const entry of names) writeFileSync(path.join(rootfs, 'root/many', entry), '');
    expect(await files.list('/root/many')).toEqual(names);
    expect((await files.listEntries('/root/many')).map(entry => entry.name)).toEqual(names);
    await files.remove('/root/many', true);
  });

  test('removing a tree does not follow links out of it', async () => {
    await files.makeDirectory('/root/tree', {});
    await files.makeLink('/root/tree/up', '/etc');
    await files.remove('/root/tree', true);
    expect(await files.list('/etc')).toContain('passwd');
  });

  test('64 MiB go in and out unchanged', async () => {
    const chunk = Buffer.alloc(mebibyte, createHash('sha256').update('seed').digest());
    await files.write('/root/big', Readable.from(Array.from({ length: 64 }, () => chunk)), {});
    const { stream } = await files.read('/root/big');
    let bytes = 0;
    for await (const part of stream) {
      const at = bytes % mebibyte;
      const { length } = part as Buffer;
      if (at + length <= mebibyte) expect((part as Buffer).equals(chunk.subarray(at, at + length))).toBe(true);
      bytes += length;
    }
    expect(bytes).toBe(64 * mebibyte);
    await files.remove('/root/big');
  });

  test.each(['absolute', 'upwards'])('a link that leads %s finds nothing outside', async trap => {
    await expect(files.read(`/traps/${trap}`)).rejects.toMatchObject({ code: 'not-found' });
    await expect(files.write(`/traps/${trap}`, from('x'), {})).rejects.toMatchObject({ code: 'not-found' });
    expect(readFileSync(host.container.secret, 'utf8')).toBe('secret of the host');
  });

  test.each(['fifo', 'null', 'disk'])('a %s is told apart and never opened', async trap => {
    expect(await files.stat(`/traps/${trap}`)).toMatchObject({ kind: 'other' });
    await expect(files.read(`/traps/${trap}`)).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(files.write(`/traps/${trap}`, from('x'), {})).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test.each([
    ['/proc/1/root/etc/passwd', /permission-denied|not-found/],
    ['/proc/self/root/etc/passwd', /permission-denied|not-found/],
    ['/traps/magic/etc/passwd', /permission-denied|not-found/],
    ['/traps/loop', /permission-denied/],
    ['/nowhere/at/all', /not-found/],
    ['/etc/passwd/more', /not-found/],
    ['/', /invalid-argument/],
    ['/root/..', /invalid-argument/],
    [`/root/${'n'.repeat(256)}`, /invalid-argument/],
    ['/root/bad\0name', /invalid-argument/],
  ])('reading and writing %j is refused', async (file, code) => {
    await expect(files.read(file)).rejects.toMatchObject({ code: expect.stringMatching(code) as string });
    await expect(files.write(file, from('x'), {})).rejects.toMatchObject({
      code: expect.stringMatching(code) as string,
    });
  });

  test("the host's settings are out of reach", async () => {
    const before = readFileSync(corePattern, 'utf8');
    await expect(files.write(corePattern, from('|/evil'), {})).rejects.toMatchObject({
      code: expect.stringMatching(/permission-denied|not-found/) as string,
    });
    expect(readFileSync(corePattern, 'utf8')).toBe(before);
  });
});

/** File servers that run, with a word among their arguments. */
function processes(word = 'files'): string[] {
  return readdirSync('/proc').filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${word}\0`);
    } catch {
      return false;
    }
  });
}

describe('a root file system to be read only', () => {
  test('can be read and not changed, and a map with holes shows ids as the container has them', async () => {
    const place = places.get('stopped, on btrfs');
    if (!place) throw new Error('No place');
    const holes = [{ uid: true, gid: false, hostId: 1000, nsId: 7, size: 1 }];
    const idmap = { ...testIdmap, holes };
    execFileSync('chown', ['7:7', path.join(place.rootfs, 'etc/passwd')]);
    const files = await servers.open({ ...place, id: 'frozen', readOnly: true, brief: true, idmap });
    expect(await files.stat('/etc/passwd')).toMatchObject({ kind: 'file', uid: 7, gid: 7 });
    await expect(files.write('/root/new', from('x'), {})).rejects.toMatchObject({ code: 'permission-denied' });
    await expect(files.write('/etc/passwd', from('x'), {})).rejects.toMatchObject({ code: 'permission-denied' });
    await expect(files.remove('/traps', true)).rejects.toMatchObject({ code: 'permission-denied' });
    await expect(files.setAttributes('/etc/passwd', { owner: { mode: 0o666 } })).rejects.toMatchObject({
      code: 'permission-denied',
    });
    expect(processes('read-only')).toHaveLength(1);
    await files.close();
    await delay(30); // less than what others wait for their next user
    expect(processes('read-only')).toHaveLength(0);
  });
});

describe('the processes', () => {
  test('are shared while in use, have no rights beyond files and end when idle', async () => {
    const place = places.get('stopped, on btrfs');
    if (!place) return;
    const [one, two] = await Promise.all([servers.open(place), servers.open(place)]);
    expect(processes()).toHaveLength(1);
    const status = readFileSync(`/proc/${processes()[0] ?? ''}/status`, 'utf8');
    expect(status).toMatch(/CapEff:\t000000008000001f\n/);
    expect(status).toMatch(/Uid:\t1000000\t1000000\t1000000\t1000000\n/);
    expect(readdirSync(`/proc/${processes()[0] ?? ''}/fd`)).toEqual(['0', '1', '2', '3', '4']);
    await one.close();
    await delay(100);
    expect(processes()).toHaveLength(1);
    await two.close();
    await two.close();
    await delay(200);
    expect(processes()).toHaveLength(0);
  });

  test('one that was killed is replaced', async () => {
    const place = places.get('running');
    if (!place) return;
    const files = await servers.open(place);
    process.kill(Number(processes()[0]), 'SIGKILL');
    await delay(50);
    await expect(files.stat('/')).rejects.toMatchObject({ code: 'unavailable' });
    await files.close();
    const again = await servers.open(place);
    expect(await again.stat('/')).toMatchObject({ kind: 'directory' });
    await again.close();
    await servers.release(place.id);
    expect(processes()).toHaveLength(0);
  });

  test('an instance that stopped meanwhile is not served through its old init', async () => {
    const place = places.get('running');
    if (!place) return;
    const before = await servers.open(place);
    expect(await before.list('/proc')).toContain('1');
    host.container.stop();
    const after = await servers.open({ ...place, running: undefined });
    expect(await after.list('/proc')).toEqual([]);
    await after.close();
    await expect(servers.open(place)).rejects.toMatchObject({ code: 'busy' });
    await before.close();
  });
});
