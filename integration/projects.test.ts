import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'dir', network: true });

describe('a project with its own objects', () => {
  test('is created with what LXD gives it', async () => {
    await daemon.must('project', 'create', 'web', '-c', 'features.images=false');
    const { metadata } = await daemon.request('GET', '/1.0/projects/web').then(answer => answer.json ?? expect.fail());
    expect(metadata).toEqual({
      name: 'web',
      description: '',
      config: { 'features.images': 'false', 'features.profiles': 'true', 'features.storage.volumes': 'true' },
      used_by: ['/1.0/profiles/default?project=web'],
    });
    expect(await daemon.must('project', 'list', '--format', 'csv')).toContain('web,NO,YES,YES,NO,,1\n');
  });

  test('has instances of the same names, on disk under its own', async () => {
    await daemon.must(
      '--project',
      'web',
      'profile',
      'device',
      'add',
      'default',
      'root',
      'disk',
      'path=/',
      'pool=default',
    );
    await daemon.must('--project', 'web', 'launch', 'tiny', 'c1');
    await daemon.must('init', 'tiny', 'c1');
    expect(existsSync(`${daemon.directory}/storage-pools/default/containers/web_c1/rootfs`)).toBe(true);
    expect(existsSync(`${daemon.directory}/containers/web_c1/rootfs`)).toBe(true);
    expect(await daemon.must('--project', 'web', 'exec', 'c1', '--', 'hostname')).toBe('c1\n');
    expect(await daemon.must('list', '--format', 'csv', '-c', 'ns')).toBe('c1,STOPPED\n');
    expect(await daemon.must('list', '--all-projects', '--format', 'csv', '-c', 'ens')).toBe(
      'default,c1,STOPPED\nweb,c1,RUNNING\n',
    );
    await daemon.must('delete', 'c1');
  });

  test('is named in URLs of lists and operations', async () => {
    const list = await daemon.request('GET', '/1.0/instances?project=web');
    expect(list.json?.metadata).toEqual(['/1.0/instances/c1?project=web']);
    const stop = await daemon.request('PUT', '/1.0/instances/c1/state?project=web', { action: 'stop', force: true });
    expect(stop.json?.metadata.resources.instances).toEqual(['/1.0/instances/c1?project=web']);
    await daemon.request('GET', `${stop.json?.operation ?? ''}/wait`);
  });

  test('is neither renamed nor deleted while it holds something', async () => {
    expect((await daemon.lxc(['project', 'rename', 'web', 'shop'])).stderr).toContain('Only empty projects');
    expect((await daemon.lxc(['project', 'delete', 'web'])).stderr).toContain('Only empty projects');
    const feature = await daemon.lxc(['project', 'set', 'web', 'features.profiles', 'false']);
    expect(feature.stderr).toContain('cannot be disabled on non-empty projects');
    await daemon.must('--project', 'web', 'delete', 'c1');
    expect((await daemon.lxc(['project', 'rename', 'web', 'shop'])).status).toBe(0);
    await daemon.must('project', 'delete', 'shop');
  });
});

test('a project without profiles uses those of the default project', async () => {
  await daemon.must('project', 'create', 'bare', '-c', 'features.profiles=false', '-c', 'features.images=false');
  await daemon.must('--project', 'bare', 'init', 'tiny', 'c1');
  const { json } = await daemon.request('GET', '/1.0/instances/c1?project=bare');
  expect(json?.metadata.expanded_devices).toHaveProperty('eth0');
  expect(await daemon.must('profile', 'show', 'default')).toContain('/1.0/instances/c1?project=bare');
  expect((await daemon.request('GET', '/1.0/profiles?project=bare')).json?.metadata).toEqual(['/1.0/profiles/default']);
  await daemon.must('--project', 'bare', 'delete', 'c1');
  await daemon.must('project', 'delete', 'bare');
});

test('a project with networks of its own sees none of the default project, and no bridge can be one', async () => {
  await daemon.must('project', 'create', 'net', '-c', 'features.networks=true');
  expect(await daemon.must('--project', 'net', 'network', 'list', '--format', 'csv')).toBe('');
  expect((await daemon.cli(['--project', 'net', 'network', 'show', daemon.bridge])).status).toBe(1);
  expect((await daemon.cli(['--project', 'net', 'network', 'create', 'lptest0'])).stderr).toContain(
    'features.networks',
  );
  await daemon.must('project', 'delete', 'net');
});

test('the current project is kept per remote, and forgotten with the project', async () => {
  await daemon.must('project', 'create', 'cur');
  await daemon.must('project', 'switch', 'cur');
  expect(await daemon.must('profile', 'show', 'default')).toContain('for project cur');
  expect(await daemon.must('project', 'list', '--format', 'csv')).toContain('cur (current),');
  expect((await daemon.cli(['project', 'switch', 'nothere'])).status).toBe(1);
  await daemon.must('project', 'delete', 'cur');
  expect(await daemon.must('profile', 'show', 'default')).toContain('Default LXD profile');
});

test('of many writers with one ETag exactly one wins', async () => {
  await daemon.must('project', 'create', 'tagged');
  const { headers } = await daemon.request('GET', '/1.0/projects/tagged');
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      daemon.request(
        'PATCH',
        '/1.0/projects/tagged',
        { description: `writer ${String(index)}` },
        {
          'if-match': headers.etag ?? '',
        },
      ),
    ),
  );
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, ...Array<number>(11).fill(412)]);
  await daemon.must('project', 'delete', 'tagged');
});
