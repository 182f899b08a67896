import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });
const folder = mkdtempSync('/tmp/lxd-like-files-');
afterAll(() => rmSync(folder, { recursive: true }));

test('make the container', async () => {
  await daemon.must('launch', 'tiny', 'c1');
});

test('after a restore of a stopped one its files are those of the snapshot at once', async () => {
  const url = '/1.0/instances/c2/files?path=/root/state';
  const write = (text: string): Promise<unknown> => daemon.request('POST', url, text);
  await daemon.must('init', 'tiny', 'c2');
  await write('old');
  await daemon.must('snapshot', 'c2', 'snap');
  await write('new');
  expect((await daemon.operate('PUT', '/1.0/instances/c2', { restore: 'snap' })).json?.metadata.err).toBe('');
  expect((await daemon.request('GET', url)).body).toBe('old');
  await daemon.must('delete', 'c2');
});

describe.each(['running', 'stopped'])('files of a %s container', state => {
  test('bring the container into that state', async () => {
    if (state === 'stopped') await daemon.must('stop', 'c1', '--force');
  });

  test('a file goes in with mode and owner and comes back the same', async () => {
    const local = path.join(folder, 'in');
    const content = Buffer.alloc(3_000_000, 'abc');
    writeFileSync(local, content);
    await daemon.must('file', 'push', local, 'c1/root/in', '--mode=0600', '--uid=1000', '--gid=1000');
    const head = await daemon.request('HEAD', '/1.0/instances/c1/files?path=/root/in');
    expect({
      uid: head.headers['x-lxd-uid'],
      gid: head.headers['x-lxd-gid'],
      mode: head.headers['x-lxd-mode'],
      type: head.headers['x-lxd-type'],
    }).toEqual({ uid: '1000', gid: '1000', mode: '0600', type: 'file' });
    await daemon.must('file', 'pull', 'c1/root/in', path.join(folder, 'out'));
    expect(readFileSync(path.join(folder, 'out')).equals(content)).toBe(true);
  });

  test('a folder goes in and out whole', async () => {
    const tree = path.join(folder, `tree-${state}`);
    mkdirSync(path.join(tree, 'a/b'), { recursive: true });
    writeFileSync(path.join(tree, 'a/b/run'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(path.join(tree, 'a/plain'), 'text', { mode: 0o640 });
    await daemon.must('file', 'push', '-r', tree, 'c1/root/');
    const back = path.join(folder, `back-${state}`);
    mkdirSync(back);
    await daemon.must('file', 'pull', '-r', `c1/root/tree-${state}`, back);
    expect(readFileSync(path.join(back, `tree-${state}/a/plain`), 'utf8')).toBe('text');
    expect(statSync(path.join(back, `tree-${state}/a/b/run`)).mode & 0o777).toBe(0o755);
  });

  test('a file is appended to, a link is told as one, a file is deleted', async () => {
    const url = '/1.0/instances/c1/files?path=/root/log';
    await daemon.request('POST', url, 'one\n', { 'x-lxd-type': 'file' });
    await daemon.request('POST', url, 'two\n', { 'x-lxd-type': 'file', 'x-lxd-write': 'append' });
    expect((await daemon.request('GET', url)).body).toBe('one\ntwo\n');
    await daemon.request('POST', '/1.0/instances/c1/files?path=/root/link', 'log', { 'x-lxd-type': 'symlink' });
    expect((await daemon.request('HEAD', '/1.0/instances/c1/files?path=/root/link')).headers['x-lxd-type']).toBe(
      'symlink',
    );
    expect((await daemon.request('DELETE', url)).status).toBe(200);
    expect((await daemon.request('GET', url)).status).toBe(404);
    await daemon.request('DELETE', '/1.0/instances/c1/files?path=/root/link');
  });

  test('links cannot lead out of the container', async () => {
    const marker = path.join(folder, 'host-only');
    writeFileSync(marker, 'secret of the host');
    await daemon.request('POST', '/1.0/instances/c1/files?path=/root/escape', marker, { 'x-lxd-type': 'symlink' });
    const { status, body } = await daemon.request('GET', '/1.0/instances/c1/files?path=/root/escape');
    expect(body).not.toContain('secret of the host');
    expect([200, 400, 404]).toContain(status); // older clients are told where the link points
    await daemon.request('DELETE', '/1.0/instances/c1/files?path=/root/escape');
  });

  test.each(['/proc/sys/kernel/core_pattern', '/dev/null', '/proc/1/root/etc/passwd', '/sys/kernel/uevent_helper'])(
    'writing to %s is refused',
    async target => {
      const { status } = await daemon.request(
        'POST',
        `/1.0/instances/c1/files?path=${encodeURIComponent(target)}`,
        'x',
        {
          'x-lxd-type': 'file',
        },
      );
      // a stopped container has no devices: there it is a plain name
      if (state === 'running' || target !== '/dev/null') expect(status).toBeGreaterThanOrEqual(400);
      expect(readFileSync('/proc/sys/kernel/core_pattern', 'utf8')).not.toBe('x');
    },
  );
});
