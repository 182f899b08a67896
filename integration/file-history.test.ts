import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
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

describe.each([
  ['running, on btrfs', 'default'],
  ['stopped, on dir', 'plain'],
])('files of a snapshot are restored into an instance that is %s', (state, pool) => {
  const name = `r-${pool}`;
  const rootfs = path.join(daemon.directory, 'storage-pools', pool, 'containers', name, 'rootfs');
  const shell = (script: string): string => execFileSync('sh', ['-ec', script], { cwd: rootfs, encoding: 'utf8' });
  const restore = (...args: readonly string[]): ReturnType<typeof daemon.cli> =>
    daemon.cli(['file', 'restore', ...args]);
  const about = (file: string): string => shell(`stat -c '%F %a %u:%g %Y' ${file}`).trim();

  test('make an instance with a snapshot', async () => {
    await daemon.must('init', 'tiny', name, '-s', pool);
    if (state.startsWith('running')) await daemon.must('start', name);
    shell(`mkdir -p srv/site/img etc/app; echo one > srv/site/index; ln -s index srv/site/home; echo x > srv/site/img/x
      ln srv/site/index srv/site/second; chmod 4751 srv/site/img/x; chown -R 33:34 srv/site; chown -h 33:34 srv/site/home
      setfattr -n user.note -v kept srv/site/index; touch -d @1500000000 srv/site/img/x srv/site/img
      echo old > etc/fstab; chmod 640 etc/fstab; mkfifo etc/app/pipe; mknod etc/app/null c 1 3; ln -s /etc etc/app/out`);
    await daemon.must('snapshot', name, 'one');
  });

  test('a file, and what it replaces is kept', async () => {
    shell('echo new > etc/fstab; chmod 600 etc/fstab');
    const before = shell('stat -c %i etc/fstab');
    expect((await restore(`${name}@one:/etc/fstab`)).stderr).toBe('What was at /etc/fstab is now /etc/fstab.~1~\n');
    expect(shell('cat etc/fstab etc/fstab.~1~')).toBe('old\nnew\n');
    expect([about('etc/fstab'), about('etc/fstab.~1~')]).toEqual([
      expect.stringContaining('640 0:0'),
      expect.stringContaining('600 0:0'),
    ]);
    expect(shell('stat -c %i etc/fstab.~1~')).toBe(before);
    const forced = await restore('--force', `${name}@one:/etc/fstab`);
    expect(forced).toMatchObject({ status: 0, stderr: '' });
    expect(shell('ls -A etc | grep -c fstab')).toBe('2\n');
  });

  test('a folder that is gone, with all that its files are', async () => {
    const look = (): string =>
      shell(`cd srv/site; find . -printf '%P %y %m %U:%G %l %n\\n' | sort; cat index img/x
      getfattr -n user.note --only-values index; stat -c %Y img img/x; [ index -ef second ] && echo same`);
    const before = look();
    shell('rm -r srv');
    expect((await restore(`${name}@one:/srv/site`)).stderr).toContain('"/srv/site" is not there');
    expect(await restore('-p', `${name}@one:/srv/site`)).toMatchObject({ status: 0, stderr: '' });
    expect(look()).toBe(before);
  });

  test('into another folder or name, but never in the place of something of another kind', async () => {
    await daemon.must('file', 'restore', `${name}@one:/etc/fstab`, '/root/');
    await daemon.must('file', 'restore', `${name}@one:/etc/fstab`, '/root/named');
    expect(shell('cat root/fstab root/named')).toBe('old\nold\n');
    expect((await restore(`${name}@one:/etc/fstab`, '/root')).stderr).toContain('end it with a slash');
    expect((await restore(`${name}@one:/etc`, '/root/named')).stderr).toContain('"/root/named" is no folder');
    expect((await restore(`${name}@one:/`)).stderr).toContain('restore the snapshot instead');
    expect((await restore(`${name}/etc/fstab`)).stderr).toContain('<instance>@<snapshot>:/<path>');
    expect((await restore(`${name}@none:/etc/fstab`)).stderr).toContain('"none" not found');
    expect(shell('ls -A root')).toBe('fstab\nnamed\n');
  });

  test('with pipes and links, but without device nodes', async () => {
    shell('rm -r etc/app');
    const { json } = await daemon.operate('POST', `/1.0/instances/${name}/snapshots/one/file-restore`, {
      path: '/etc/app',
    });
    expect(json?.metadata).toMatchObject({ metadata: { target: '/etc/app', files: 3, left_out: 1 } });
    expect(shell('find etc/app -printf "%P %y %l\\n" | sort')).toBe(' d \nout l /etc\npipe p \n');
  });

  test('so that a reader always finds one of them whole', async () => {
    shell('i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done > etc/long');
    await daemon.must('snapshot', name, 'long');
    shell('sed -i s/line/LINE/ etc/long');
    const sizes = new Set<number>();
    const wanted = readFileSync(path.join(rootfs, 'etc/long')).length;
    const end = new AbortController();
    const reader = (async (): Promise<void> => {
      while (!end.signal.aborted) {
        sizes.add((await readFile(path.join(rootfs, 'etc/long'))).length);
        await setImmediate();
      }
    })();
    for (let round = 0; round < 3; round++) await daemon.must('file', 'restore', '--force', `${name}@long:/etc/long`);
    end.abort();
    await reader;
    expect([...sizes]).toEqual([wanted]);
  });

  test.runIf(state.startsWith('running'))('but not in the place of mounts', async () => {
    expect((await restore(`${name}@one:/etc`, '/proc')).stderr).toContain('is in use, such as a mount point');
    await daemon.must('exec', name, '--', 'sh', '-c', 'mount -t tmpfs none /srv/site/img');
    expect((await restore(`${name}@one:/srv/site`)).stderr).toContain('holds a mount point');
    await daemon.must('exec', name, '--', 'umount', '/srv/site/img');
  });

  test('and nothing half-made stays', () => {
    expect(shell('find . -xdev -name ".restore-*"')).toBe('');
  });
});

test('no file of a snapshot is reached from another project', async () => {
  await daemon.must('project', 'create', 'mine', '-c', 'features.images=false', '-c', 'features.profiles=false');
  const snapshot = '/1.0/instances/c-default/snapshots/one';
  for (const url of [`${snapshot}/files?path=/etc`, '/1.0/instances/c-default/file-history?path=/etc'])
    expect((await daemon.request('GET', `${url}&project=mine`)).status).toBe(404);
  const answer = await daemon.operate('POST', `${snapshot}/file-restore?project=mine`, { path: '/etc' });
  expect(answer.status).toBe(404);
});
