import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FileServer } from './runtime.ts';
import { placeNames, useFilePlaces } from './testing/file-places.ts';

const host = useFilePlaces();
const { servers, places } = host;

/** All that a tree of files can be. */
const makeTree = `
echo one > one; chmod 4750 one; chown 33:34 one; touch -d @1700000000.5 one; mkdir -m 2775 sub; ln one sub/other-name
ln -s one to-one; chown -h 5:6 to-one; mkfifo -m 640 pipe; chown 7:7 pipe; truncate -s 8M sparse; echo end >> sparse
mknod null c 1 3; echo x > attributes; setfattr -n user.comment -v kept attributes; setcap cap_net_raw+ep attributes
echo x > list; setfacl -m u:1000:rw list; setfacl -d -m g:50:rx sub; mkdir -m 700 empty; touch -d @1600000000 empty
chown -R 3:4 sub/.; chown 33:34 one; chmod 4750 one; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
touch -d @1500000000 sub .
`;

function mkdirAt(folder: string): string {
  mkdirSync(folder);
  return folder;
}

/** Kinds, modes, owners, sizes, times and attributes of a tree as text. */
function describeTree(folder: string): string {
  const about = '%P %y %#m %U:%G %T@';
  const script = `find . -type d -printf '${about}\\n' -o -printf '${about} %l %n\\n' | sort
    getfattr -Rhd -m - --absolute-names . | sort; getfacl -Rn . ; cksum one sparse attributes`;
  return execFileSync('sh', ['-ec', script], { cwd: folder, encoding: 'utf8' });
}

describe.each(placeNames)('restoring files of a snapshot into an instance that is %s', name => {
  let files: FileServer;
  let rootfs: string;
  beforeAll(async () => {
    const place = places.get(name);
    if (!place) throw new Error(`No place ${name}`);
    rootfs = place.rootfs;
    files = await servers.open(place);
  });
  afterAll(async () => await files.close());

  test('a tree of a read-only view comes back with all that its files are', async () => {
    const place = places.get('stopped, on ext4');
    if (!place) throw new Error('No place');
    const tree = path.join(place.rootfs, `srv-${path.basename(rootfs)}`);
    execFileSync('sh', ['-ec', makeTree], { cwd: mkdirAt(tree) });
    const source = await servers.open({ ...place, id: `source-of-${rootfs}`, readOnly: true, brief: true });
    const from = `/${path.basename(tree)}`;
    const first = await files.restore(source, from, '/root/tree', { keep: true });
    expect(first).toMatchObject({ files: 11, leftOut: 1 });
    expect(first.kept).toBeUndefined();
    const there = path.join(rootfs, 'root/tree');
    rmSync(path.join(tree, 'null'));
    utimesSync(tree, 1_500_000_000, 1_500_000_000);
    expect(describeTree(there)).toBe(describeTree(tree));
    expect(lstatSync(path.join(there, 'one')).ino).toBe(lstatSync(path.join(there, 'sub/other-name')).ino);
    expect(lstatSync(path.join(there, 'sparse')).blocks).toBeLessThan(100);
    // what is there is kept, once more under the next name, or goes
    await files.makeDirectory('/root/tree/added', {});
    expect((await files.restore(source, from, '/root/tree', { keep: true })).kept).toBe('tree.~1~');
    expect(await files.list('/root/tree.~1~')).toContain('added');
    expect((await files.restore(source, `${from}/one`, '/root/tree', { keep: true })).kept).toBe('tree.~2~');
    expect((await files.restore(source, `${from}/to-one`, '/root/tree', { keep: false })).kept).toBeUndefined();
    expect(await files.readLink('/root/tree')).toBe('one');
    expect((await files.list('/root')).filter(entry => entry.startsWith('.restore-'))).toEqual([]);
    for (const entry of ['tree', 'tree.~1~', 'tree.~2~']) await files.remove(`/root/${entry}`, true);
    await source.close();
    rmSync(tree, { recursive: true });
  });

  test('what cannot be restored changes nothing and leaves nothing', async () => {
    const place = places.get('stopped, on ext4');
    if (!place) throw new Error('No place');
    const source = await servers.open({ ...place, id: `traps-for-${rootfs}`, readOnly: true, brief: true });
    const restore = (from: string, to: string, signal?: AbortSignal): Promise<unknown> =>
      files.restore(source, from, to, { keep: true, ...(signal && { signal }) });
    await expect(restore('/traps/null', '/root/null')).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(restore('/traps/nothing', '/root/x')).rejects.toMatchObject({ code: 'not-found' });
    await expect(restore('/traps/absolute/x', '/root/x')).rejects.toMatchObject({ code: 'not-found' });
    await expect(restore('/', '/root/x')).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(restore('/etc/passwd', '/')).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(restore('/etc/passwd', '/nowhere/x')).rejects.toMatchObject({ code: 'not-found' });
    await expect(restore('/etc/passwd', `/root/${'n'.repeat(256)}`)).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    await expect(restore('/etc/passwd', '/proc/sys/kernel/x')).rejects.toThrow();
    if (name === 'running') {
      await expect(restore('/etc', '/proc')).rejects.toMatchObject({ code: 'busy' });
      await expect(restore('/etc/passwd', '/dev')).rejects.toThrow();
    }
    const deep = path.join(place.rootfs, 'root/deep');
    execFileSync('sh', ['-ec', 'deep=.; for i in $(seq 450); do deep=$deep/d; done; mkdir -p $deep'], {
      cwd: mkdirAt(deep),
    });
    await expect(restore('/root/deep', '/root/copy')).rejects.toMatchObject({ code: 'unsupported' });
    // a link is restored as one, and what it points to is left alone
    await restore('/traps/absolute', '/root/link-back');
    expect(await files.readLink('/root/link-back')).toBe(host.container.secret);
    await files.remove('/root/link-back');
    expect(readFileSync(host.container.secret, 'utf8')).toBe('secret of the host');
    rmSync(deep, { recursive: true });
    expect((await files.list('/root')).filter(entry => /^\.restore-|copy|null|^x$/.test(entry))).toEqual([]);
    await source.close();
  });

  test('a restore that is cancelled leaves what was there', async () => {
    const place = places.get('stopped, on ext4');
    if (!place) throw new Error('No place');
    const many = mkdirAt(path.join(place.rootfs, 'root/many-files'));
    for (let n = 0; n < 2000; n++) writeFileSync(path.join(many, String(n)), 'content');
    const source = await servers.open({ ...place, id: `many-for-${rootfs}`, readOnly: true, brief: true });
    const cancel = new AbortController();
    const seen: number[] = [];
    const onProgress = ({ files: count }: { readonly files: number }): void => {
      seen.push(count);
      cancel.abort(new Error('given up'));
    };
    const options = { keep: true, signal: cancel.signal, onProgress };
    await expect(files.restore(source, '/root/many-files', '/root/copied', options)).rejects.toThrow('given up');
    expect(seen[0]).toBeLessThan(2000);
    const late = { keep: true, signal: cancel.signal };
    await expect(files.restore(source, '/root/many-files', '/root/copied', late)).rejects.toThrow('given up');
    expect((await files.list('/root')).filter(entry => entry.startsWith('.restore-') || entry === 'copied')).toEqual(
      [],
    );
    await source.close();
    rmSync(many, { recursive: true });
  });
});
