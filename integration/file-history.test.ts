import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FileVersion } from '#api/file.ts';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });
const folder = mkdtempSync('/tmp/lxd-like-history-');
const secret = path.join(folder, 'secret');

beforeAll(async () => {
  await daemon.must('storage', 'create', 'plain', 'dir');
  writeFileSync(secret, 'secret of the host');
});
afterAll(() => rmSync(folder, { recursive: true }));

const csv = async (...args: readonly string[]): Promise<readonly string[]> =>
  (await daemon.must(...args, '--format', 'csv')).trim().split('\n').filter(Boolean);
const url = (name: string, snapshot: string, file: string, more = ''): string =>
  `/1.0/instances/${name}/snapshots/${snapshot}/files?path=${encodeURIComponent(file)}${more}`;

/** What a guest may leave in its tree for whoever looks at it from outside. */
const traps = (outside: string): string => `
mkdir -p srv/traps; cd srv/traps; ln -s ${outside} absolute; ln -s ../../../../../../../../../..${outside} upwards
ln -s /proc/1/root magic; ln -s loop loop; mkfifo fifo; mknod null c 1 3
deep=.; for i in $(seq 500); do deep=$deep/d; done; mkdir -p $deep
`;

describe.each([
  ['btrfs', 'default'],
  ['dir', 'plain'],
])('files of a snapshot on %s', (_, pool) => {
  const name = `c-${pool}`;
  const shell = (script: string): string => {
    const rootfs = path.join(daemon.directory, 'storage-pools', pool, 'containers', name, 'rootfs');
    return execFileSync('sh', ['-ec', script], { cwd: rootfs, encoding: 'utf8' });
  };

  test('make an instance with a snapshot', async () => {
    await daemon.must('init', 'tiny', name, '-s', pool);
    shell(`mkdir -p etc/app; echo one > etc/app/config; chmod 640 etc/app/config; chown 33:34 etc/app/config
      touch -d @1700000000 etc/app/config; ln -s config etc/app/link; mkfifo etc/app/fifo; ${traps(secret)}`);
    await daemon.must('snapshot', name, 'one');
    shell('echo two, longer > etc/app/config; rm etc/app/link; echo new > etc/app/new');
  });

  test('are listed with mode, owner, size and time, as those of the instance are', async () => {
    const then = await csv('file', 'list', `${name}@one:/etc/app`);
    expect(then.map(line => line.replace(/,[^,]*,([^,]*)$/, ',$1'))).toEqual(
      ['prw-r--r--,0:0,0,fifo', '-rw-r-----,33:34,4,config', 'lrwxrwxrwx,0:0,6,link -> config'].sort((one, other) =>
        (one.split(',')[3] ?? '') < (other.split(',')[3] ?? '') ? -1 : 1,
      ),
    );
    const now = await csv('file', 'list', `${name}/etc/app`);
    expect(now.map(line => line.split(',').at(-1))).toEqual(['config', 'fifo', 'new']);
    const { json } = await daemon.request('GET', url(name, 'one', '/etc/app/config', '&recursion=1'));
    expect(json?.metadata).toEqual([
      {
        name: 'config',
        type: 'file',
        mode: '0640',
        uid: 33,
        gid: 34,
        size: 4,
        modified_at: '2023-11-14T22:13:20Z',
      },
    ]);
    expect((await daemon.must('file', 'list', `${name}@one:`)).split('\n').length).toBeGreaterThan(5);
  });

  test("are pulled, with LXD's headers", async () => {
    expect(await daemon.must('file', 'pull', `${name}@one:/etc/app/config`, '-')).toBe('one\n');
    expect(await daemon.must('file', 'pull', `${name}/etc/app/config`, '-')).toBe('two, longer\n');
    const head = await daemon.request('HEAD', url(name, 'one', '/etc/app/config'));
    expect(head.headers).toMatchObject({
      'x-lxd-type': 'file',
      'x-lxd-mode': '0640',
      'x-lxd-uid': '33',
      'x-lxd-gid': '34',
      'content-length': '4',
    });
    const listing = await daemon.request('GET', url(name, 'one', '/etc/app'));
    expect(listing.headers['x-lxd-type']).toBe('directory');
    expect(listing.json?.metadata).toEqual(['config', 'fifo', 'link']);
    shell('mkdir -p srv/tree/sub; echo x > srv/tree/sub/x; ln -s sub/x srv/tree/to-x');
    await daemon.must('snapshot', name, 'tree');
    const target = path.join(folder, pool);
    execFileSync('mkdir', [target]);
    await daemon.must('file', 'pull', '-r', `${name}@tree:/srv/tree`, target);
    expect(readFileSync(path.join(target, 'tree/sub/x'), 'utf8')).toBe('x\n');
    expect(readlinkSync(path.join(target, 'tree/to-x'))).toBe('sub/x');
  });

  test.each(['absolute', 'upwards', 'magic', 'magic/etc/passwd', 'loop', 'fifo', 'null'])(
    'do not lead out of it by %s, nor hang',
    async trap => {
      const { status, headers, body } = await daemon.request('GET', url(name, 'one', `/srv/traps/${trap}`));
      expect(body).not.toContain('secret of the host');
      // a link is told with its target and not followed
      expect(status < 400 ? headers['x-lxd-type'] : 'symlink').toBe('symlink');
      expect((await daemon.request('GET', url(name, 'one', `/srv/traps/${trap}/`))).body).not.toContain('secret of');
    },
  );

  test('cannot be changed', async () => {
    for (const args of [
      ['push', secret, `${name}@one:/etc/x`],
      ['delete', `${name}@one:/etc/app/config`],
      ['mkdir', `${name}@one:/etc/x`],
      ['edit', `${name}@one:/etc/app/config`],
    ])
      expect((await daemon.cli(['file', ...args])).stderr).toContain('the files of a snapshot stay as they are');
    expect((await daemon.request('POST', url(name, 'one', '/etc/x'), 'x')).status).toBe(501); // no such method
  });

  test('of a snapshot or an instance that is not there are not found', async () => {
    expect((await daemon.cli(['file', 'list', `${name}@none:/etc`])).stderr).toContain('"none" not found');
    expect((await daemon.cli(['file', 'list', 'c-none@one:/etc'])).stderr).toContain('not found');
    expect((await daemon.cli(['file', 'list', `${name}@one:/nowhere`])).stderr).toContain('"/nowhere" is not there');
  });

  test('have a history: one row for each version', async () => {
    await daemon.must('snapshot', name, 'again');
    shell('echo one > etc/app/config; chmod 600 etc/app/config');
    await daemon.must('snapshot', name, 'mode');
    shell('touch -d @1800000000 etc/app/config; cp -p etc/app/config etc/app/copy; mv etc/app/copy etc/app/config');
    const rows = async (file: string): Promise<readonly string[]> => {
      const { json } = await daemon.request('GET', `/1.0/instances/${name}/file-history?path=${file}`);
      const versions = (json?.metadata ?? []) as readonly FileVersion[];
      return versions.map(({ snapshots, current, type, changed, mode = '', size = '' }) =>
        [type, mode, size, ...snapshots, ...(current ? ['now'] : []), ...changed.map(what => `+${what}`)].join(' '),
      );
    };
    expect(await rows('/etc/app/config')).toEqual([
      'file 0640 4 one',
      'file 0640 12 tree again +content',
      'file 0600 4 mode now +content +mode',
    ]);
    expect(await rows('/etc/app/new')).toEqual(['absent   one', 'file 0644 4 tree again mode now +type']);
    expect(await rows('/etc/app/link')).toEqual(['symlink 0777 6 one', 'absent   tree again mode now +type']);
    expect(await rows('/etc/app')).toEqual([
      expect.stringMatching(/^directory 0755 \d+ one$/),
      expect.stringMatching(/^directory 0755 \d+ tree again mode now \+content$/),
    ]);
    expect((await rows('/srv/traps/fifo'))[0]).toContain('pipe 0644 0 one tree again mode now');
    expect((await daemon.must('file', 'history', name, '/etc/app/config', '--format', 'csv')).split('\n')[0]).toMatch(
      /^one,,-rw-r-----,33:34,4,/,
    );
    const nowhere = await daemon.cli(['file', 'history', name, '/nowhere']);
    expect(nowhere.stderr).toContain('neither in instance');
  });

  test('let go of a snapshot that is renamed or deleted', async () => {
    await daemon.must('snapshot', name, 'passing');
    await daemon.must('file', 'list', `${name}@passing:/etc`);
    await daemon.must('move', `${name}/passing`, `${name}/passed`);
    expect((await daemon.cli(['file', 'list', `${name}@passing:/etc`])).stderr).toContain('"passing" not found');
    await daemon.must('file', 'list', `${name}@passed:/etc`);
    await daemon.must('delete', `${name}/passed`);
    expect((await daemon.cli(['file', 'list', `${name}@passed:/etc`])).stderr).toContain('"passed" not found');
  });
});
