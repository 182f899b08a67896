import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { storageDrivers, useDaemon } from './harness/fixture.ts';

describe.each(storageDrivers)('custom volumes on %s', driver => {
  const daemon = useDaemon({ storage: driver });
  const volumes = '/1.0/storage-pools/default/volumes/custom';

  const sh = (instance: string, script: string): Promise<string> =>
    daemon.must('exec', instance, '--', 'sh', '-c', script);

  const lxc = daemon.mustLxc.bind(daemon);

  test('are created with the defaults of the pool, shown and listed', async () => {
    await daemon.must('storage', 'set', 'default', 'volume.snapshots.expiry', '3d');
    await daemon.must('storage', 'volume', 'create', 'default', 'data', 'user.note=mine');
    await daemon.must('storage', 'unset', 'default', 'volume.snapshots.expiry');
    const { json } = await daemon.request('GET', `${volumes}/data`);
    expect(json?.metadata).toMatchObject({
      name: 'data',
      type: 'custom',
      content_type: 'filesystem',
      project: 'default',
      location: 'none',
      config: { 'user.note': 'mine', 'snapshots.expiry': '3d' },
      used_by: [],
    });
    expect(await daemon.must('storage', 'volume', 'list', 'default', 'type=custom', '-f', 'csv')).toBe(
      'custom,data,,filesystem,0\n',
    );
    expect(existsSync(path.join(daemon.directory, 'storage-pools/default/custom/default_data'))).toBe(true);
  });

  test('bad requests are refused with a reason', async () => {
    const refusals: readonly (readonly [string, string, unknown, number, string])[] = [
      ['POST', volumes, { name: 'data' }, 409, 'already exists'],
      ['POST', volumes, { name: 'a/b' }, 400, 'Storage volume names may not contain slashes'],
      ['POST', volumes, { name: '' }, 400, 'must have one'],
      ['POST', volumes, { name: 'x', content_type: 'block' }, 400, 'virtual machines'],
      ['POST', volumes, { name: 'x', config: { foo: '1' } }, 400, '"foo" is not a known key'],
      ['POST', volumes, { name: 'x', config: { 'snapshots.schedule': '@often' } }, 400, 'must be of the form'],
      ['POST', volumes, { name: 'x', config: { 'security.shifted': '1', 'security.unmapped': '1' } }, 400, 'exclusive'],
      ['POST', volumes, { name: 'x', source: { type: 'copy', name: 'nope' } }, 404, 'not found'],
      ['POST', '/1.0/storage-pools/default/volumes/container', { name: 'x' }, 400, 'Currently not allowed'],
      ['POST', '/1.0/storage-pools/nope/volumes/custom', { name: 'x' }, 404, 'not found'],
      ['GET', '/1.0/storage-pools/default/volumes/foo', undefined, 400, 'Invalid storage volume type name'],
      ['GET', `${volumes}/nope`, undefined, 404, 'not found'],
      ['PUT', `${volumes}/data`, { config: { 'volatile.x': '[]' } }, 400, 'is not a known key'],
      ['DELETE', '/1.0/storage-pools/default/volumes/container/c1', undefined, 400, 'cannot be deleted'],
      ['POST', `${volumes}/data/snapshots`, { name: 'a b' }, 400, 'white space'],
    ];
    for (const [method, url, body, status, text] of refusals) {
      const answer = await daemon.request(method, url, body);
      expect(`${String(answer.status)} ${answer.json?.error ?? ''}`, JSON.stringify(body)).toContain(text);
      expect(answer.status).toBe(status);
    }
  });

  test('are plugged into running instances, several at once, and out again', async () => {
    await daemon.must('launch', 'tiny', 'c1');
    await daemon.must('launch', 'tiny', 'c2');
    await daemon.must('storage', 'volume', 'attach', 'default', 'data', 'c1', 'data', '/data');
    await lxc('storage', 'volume', 'attach', 'default', 'data', 'c2', '/mnt/data');
    await sh('c1', 'echo hello > /data/file; chown 1000:1000 /data/file');
    expect(await sh('c2', 'cat /mnt/data/file; stat -c %u:%g /mnt/data/file')).toBe('hello\n1000:1000\n');
    const file = path.join(daemon.directory, 'storage-pools/default/custom/default_data/file');
    expect(statSync(file).uid).toBe(1000);
    const { json } = await daemon.request('GET', `${volumes}/data`);
    expect(json?.metadata.used_by).toEqual(['/1.0/instances/c1', '/1.0/instances/c2']);
    expect((await daemon.cli(['storage', 'volume', 'delete', 'default', 'data'])).stderr).toContain('still in use');
    expect((await daemon.cli(['storage', 'volume', 'rename', 'default', 'data', 'x'])).stderr).toContain('running');
    await daemon.must('storage', 'volume', 'detach', 'default', 'data', 'c1');
    expect(await sh('c1', 'ls /data')).toBe('');
    await lxc('storage', 'volume', 'detach', 'default', 'data', 'c2');
    expect((await daemon.request('GET', `${volumes}/data`)).json?.metadata.used_by).toEqual([]);
    await daemon.must('storage', 'volume', 'attach', 'default', 'data', 'c1', '/only/path');
    expect(await sh('c1', 'cat /only/path/file')).toBe('hello\n');
    await daemon.must('storage', 'volume', 'detach', 'default', 'data', 'c1');
  });

  test('are shared by instances with other ids only when they are shifted', async () => {
    await daemon.must('storage', 'volume', 'attach', 'default', 'data', 'c1', 'data', '/data');
    await daemon.must('config', 'set', 'c2', 'security.idmap.isolated=true');
    await daemon.must('restart', 'c2', '--force');
    const refused = await daemon.cli(['storage', 'volume', 'attach', 'default', 'data', 'c2', 'data', '/data']);
    expect(refused.stderr).toContain('Idmaps of container "c2" and storage volume "data" are not identical');
    await daemon.must('stop', 'c1', '--force');
    await daemon.must('storage', 'volume', 'set', 'default', 'data', 'security.shifted=true');
    await daemon.must('start', 'c1');
    await daemon.must('storage', 'volume', 'attach', 'default', 'data', 'c2', 'data', '/data');
    expect(await sh('c2', 'stat -c %u /data/file; touch /data/other')).toBe('1000\n');
    expect(await sh('c1', 'stat -c %u /data/other')).toBe('0\n');
  });

  test('come back with their instance, and a missing one is named', async () => {
    await daemon.terminate();
    await daemon.start();
    expect(await sh('c2', 'cat /data/file')).toBe('hello\n');
    await daemon.must('stop', 'c1', 'c2', '--force');
    await daemon.must('start', 'c1');
    expect(await sh('c1', 'cat /data/file')).toBe('hello\n');
    await daemon.must('stop', 'c1', '--force');
    const devices = ['config', 'device'] as const;
    const nope = await daemon.cli([...devices, 'add', 'c1', 'x', 'disk', 'pool=default', 'source=nope', 'path=/x']);
    expect(nope.stderr).toContain('names the storage volume "nope"');
    const bare = await daemon.cli([...devices, 'add', 'c1', 'x', 'disk', 'pool=default', 'source=data']);
    expect(bare.stderr).toContain('require a path');
  });

  test('are renamed with the devices that use them', async () => {
    await lxc('storage', 'volume', 'rename', 'default', 'data', 'files');
    expect(await daemon.must('config', 'device', 'get', 'c1', 'data', 'source')).toBe('files\n');
    await daemon.must('start', 'c1');
    expect(await sh('c1', 'cat /data/file')).toBe('hello\n');
    await daemon.must('delete', 'c2', '--force');
  });

  test('are snapshot, restored, renamed and expire', async () => {
    await lxc('storage', 'volume', 'snapshot', 'default', 'files');
    await daemon.must('storage', 'volume', 'snapshot', 'default', 'files', 'named', '--no-expiry');
    await sh('c1', 'echo changed > /data/file');
    expect((await daemon.cli(['storage', 'volume', 'restore', 'default', 'files', 'snap0'])).stderr).toContain(
      'running',
    );
    await daemon.must('stop', 'c1', '--force');
    await lxc('storage', 'volume', 'restore', 'default', 'files', 'snap0');
    await daemon.must('start', 'c1');
    expect(await sh('c1', 'cat /data/file')).toBe('hello\n');
    await lxc('storage', 'volume', 'rename', 'default', 'files/named', 'files/before');
    const { json } = await daemon.request('GET', `${volumes}/files/snapshots?recursion=1`);
    const shown = json?.metadata as readonly { name: string; expires_at: string; created_at: string }[];
    expect(shown.map(({ name }) => name)).toEqual(['files/snap0', 'files/before']);
    const [first, second] = shown;
    expect(Date.parse(first?.expires_at ?? '') - Date.parse(first?.created_at ?? '')).toBe(3 * 24 * 3600 * 1000);
    expect(second?.expires_at).toBe(null);
    await daemon.request('PATCH', `${volumes}/files/snapshots/before`, { description: 'kept' });
    expect(await lxc('storage', 'volume', 'show', 'default', 'files/before')).toContain('description: kept');
    await lxc('storage', 'volume', 'delete', 'default', 'files/before');
    expect(await daemon.must('storage', 'volume', 'info', 'default', 'files')).toContain('snap0');
  });

  test('are copied, refreshed and moved, also to another pool', async () => {
    await daemon.must('storage', 'create', 'other', 'dir');
    await lxc('storage', 'volume', 'copy', 'default/files', 'other/copy');
    await daemon.must('storage', 'volume', 'copy', 'default/files', 'default/twin', '--volume-only');
    await daemon.must('storage', 'volume', 'copy', 'default/files/snap0', 'other/old');
    expect(await daemon.must('storage', 'volume', 'list', 'other', '-f', 'csv', '-c', 'n')).toBe(
      'copy\ncopy/snap0\nold\n',
    );
    await sh('c1', 'echo newer > /data/file; rm -f /data/other');
    await daemon.must('storage', 'volume', 'snapshot', 'default', 'files', 'second');
    expect((await daemon.lxc(['storage', 'volume', 'copy', 'default/files', 'other/copy'])).stderr).toContain('exists');
    for (const target of ['other/copy', 'default/twin']) {
      await lxc('storage', 'volume', 'copy', 'default/files', target, '--refresh');
      const [pool = '', name = ''] = target.split('/');
      await daemon.must('storage', 'volume', 'attach', pool, name, 'c1', 'seen', '/seen');
      expect(await sh('c1', 'cat /seen/file; ls /seen')).toBe('newer\nfile\n');
      await daemon.must('storage', 'volume', 'detach', pool, name, 'c1', 'seen');
      expect(await daemon.must('storage', 'volume', 'list', pool, `name=${name}/second`, '-f', 'csv', '-c', 'n')).toBe(
        `${name}/second\n`,
      );
    }
    await daemon.must('storage', 'volume', 'delete', 'default', 'files/second');
    await lxc('storage', 'volume', 'copy', 'default/files', 'other/copy', '--refresh');
    expect(await daemon.must('storage', 'volume', 'list', 'other', '-f', 'csv', '-c', 'n')).toBe(
      'copy\ncopy/snap0\nold\n',
    );
    await daemon.must('stop', 'c1', '--force');
    await daemon.must('storage', 'volume', 'move', 'default/files', 'other/files');
    expect(await daemon.must('config', 'device', 'get', 'c1', 'data', 'pool')).toBe('other\n');
    await daemon.must('start', 'c1');
    expect(await sh('c1', 'cat /data/file')).toBe('newer\n');
  });

  test('keys, ETag and the root volume of an instance', async () => {
    const { headers, json } = await daemon.request('GET', `${volumes}/twin`);
    const etag = headers.etag ?? '';
    await daemon.must('storage', 'volume', 'set', 'default', 'twin', 'user.x=1');
    const late = await daemon.request(
      'PUT',
      `${volumes}/twin`,
      { config: json?.metadata.config },
      { 'if-match': etag },
    );
    expect(late.status).toBe(412);
    await daemon.must('storage', 'volume', 'unset', 'default', 'twin', 'user.x');
    await lxc('storage', 'volume', 'set', 'default', 'container/c1', 'user.x=1');
    expect(await lxc('storage', 'volume', 'get', 'default', 'container/c1', 'user.x')).toBe('1\n');
    await daemon.must('storage', 'volume', 'set', 'default', 'twin', 'size=64MiB');
  });

  test('the same volume is in a profile', async () => {
    await daemon.must('storage', 'volume', 'attach-profile', 'default', 'twin', 'default', 'twin', '/twin');
    expect(await sh('c1', 'cat /twin/file')).toBe('newer\n');
    const { json } = await daemon.request('GET', `${volumes}/twin`);
    expect(json?.metadata.used_by).toEqual(['/1.0/profiles/default']);
    await lxc('storage', 'volume', 'detach-profile', 'default', 'twin', 'default');
    await daemon.must('delete', 'c1', '--force');
    for (const volume of ['files', 'copy', 'old']) await lxc('storage', 'volume', 'delete', 'other', volume);
    await daemon.must('storage', 'volume', 'delete', 'default', 'twin');
    await daemon.must('trash', 'empty', '--all-projects');
    await daemon.must('storage', 'delete', 'other');
  });
});
