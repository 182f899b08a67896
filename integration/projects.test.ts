import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';
import { freePort } from './harness/free-port.ts';

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
    await daemon.must('trash', 'empty', '--all-projects');
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
  await daemon.must('trash', 'empty', '--all-projects');
  await daemon.must('project', 'delete', 'bare');
});

test('a project with networks of its own sees none of the default project, and no bridge can be one', async () => {
  await daemon.must('project', 'create', 'net', '-c', 'features.networks=true');
  expect(await daemon.must('--project', 'net', 'network', 'list', '--format', 'csv')).toBe('');
  expect((await daemon.cli(['--project', 'net', 'network', 'show', daemon.bridge])).status).toBe(1);
  expect((await daemon.cli(['--project', 'net', 'network', 'create', 'lptest0'])).stderr).toContain(
    'features.networks',
  );
  await daemon.must('trash', 'empty', '--all-projects');
  await daemon.must('project', 'delete', 'net');
});

test('the current project is kept per remote, and forgotten with the project', async () => {
  await daemon.must('project', 'create', 'cur');
  await daemon.must('project', 'switch', 'cur');
  expect(await daemon.must('profile', 'show', 'default')).toContain('for project cur');
  expect(await daemon.must('project', 'list', '--format', 'csv')).toContain('cur (current),');
  expect((await daemon.cli(['project', 'switch', 'nothere'])).status).toBe(1);
  await daemon.must('trash', 'empty', '--all-projects');
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
  await daemon.must('trash', 'empty', '--all-projects');
  await daemon.must('project', 'delete', 'tagged');
});

describe('limits and restrictions', () => {
  const inProject = async (...args: readonly string[]): Promise<string> => {
    const { status, stderr } = await daemon.lxc(['--quiet', '--project', 'lim', ...args]);
    return status === 0 ? 'done' : stderr;
  };

  test('hold for creation, change, copy, restore and profiles alike', async () => {
    await daemon.must('project', 'create', 'lim', '-c', 'limits.memory=1GiB', '-c', 'features.images=false');
    await inProject('profile', 'device', 'add', 'default', 'root', 'disk', 'path=/', 'pool=default');
    expect(await inProject('init', 'tiny', 'c1')).toContain('has no "limits.memory" config');
    expect(await inProject('init', 'tiny', 'c1', '-c', 'limits.memory=600MiB')).toBe('done');
    expect(await inProject('snapshot', 'c1', 'large')).toBe('done');
    expect(await inProject('copy', 'c1', 'c2')).toContain('Reached maximum aggregate value "1GiB"');
    expect(await inProject('config', 'set', 'c1', 'limits.memory', '2GiB')).toContain(
      'Reached maximum aggregate value',
    );
    expect(await inProject('config', 'set', 'c1', 'limits.memory', '100MiB')).toBe('done');
    expect((await daemon.lxc(['project', 'set', 'lim', 'limits.memory', '50MiB'])).stderr).toContain('is too low');
    await daemon.must('project', 'set', 'lim', 'limits.memory', '200MiB');
    expect(await inProject('restore', 'c1', 'large')).toContain('Reached maximum aggregate value');
    await daemon.must('project', 'unset', 'lim', 'limits.memory');
    await daemon.must('project', 'set', 'lim', 'restricted', 'true');
    expect(await inProject('config', 'set', 'c1', 'security.nesting', 'true')).toContain('nesting is forbidden');
    expect(await inProject('profile', 'set', 'default', 'security.privileged', 'true')).toContain('are forbidden');
    expect(await inProject('snapshot', 'c1')).toContain("doesn't allow for snapshot creation");
    expect(await inProject('export', 'c1', `${daemon.directory}/c1.tar.gz`)).toContain(
      "doesn't allow for backup creation",
    );
  });

  test('of two creations at once only as many pass as there is room for', async () => {
    await daemon.must('project', 'set', 'lim', 'limits.instances', '3');
    const made = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(name => inProject('init', 'tiny', name)));
    expect(made.filter(answer => answer === 'done')).toHaveLength(2);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'c1']) await daemon.cli(['--project', 'lim', 'delete', name]);
  });
});

test('a restricted certificate sees its project and nothing of others', async () => {
  const port = await freePort();
  await daemon.must('config', 'set', 'core.https_address', `127.0.0.1:${String(port)}`);
  await daemon.must('project', 'create', 'secret');
  const issued = await daemon.must('config', 'trust', 'add', '--name', 'guest', '--restricted', '--projects', 'lim');
  const env = { LXD_CONF: `${daemon.directory}/guest` };
  const guest = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await daemon.lxc(['--quiet', ...args], { env });
    return status === 0 ? stdout : `refused: ${stderr}`;
  };
  await guest('remote', 'add', 'me', issued.trim().split('\n').pop() ?? '', '--project', 'lim');
  await guest('remote', 'switch', 'me');
  expect(await guest('project', 'list', '--format', 'csv')).toMatch(/^lim \(current\),[^\n]*\n$/);
  expect(await guest('query', '/1.0/projects')).not.toContain('secret');
  for (const project of ['secret', 'nothere', 'default']) {
    expect(await guest('project', 'show', project)).toContain('not found');
    expect(await guest('--project', project, 'profile', 'list')).toContain('Not authorized');
  }
  expect(await guest('project', 'set', 'lim', 'restricted', 'false')).toContain('Not authorized');
  expect(await guest('query', '/1.0/events?type=logging')).toContain('refused');
  expect(await guest('query', '/1.0/storage-pools/default')).not.toContain('/1.0/profiles/default"');
  expect(await guest('query', '/1.0/operations?all-projects=true')).not.toContain('refused');
  await daemon.must('trash', 'empty', '--all-projects');
  await daemon.must('project', 'delete', 'secret');
  await daemon.must('trash', 'empty', '--all-projects');
  await daemon.must('project', 'delete', 'lim');
});
