import { expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'dir' });
const url = '/1.0/instances/c1/metadata';
const inside = async (...command: readonly string[]): Promise<string> =>
  (await daemon.cli(['exec', 'c1', '--', ...command])).stdout;

/** The seed of cloud-init's NoCloud source, as images bring it. */
const userData = '{{ config_get("cloud-init.user-data", config_get("user.user-data", "#cloud-config\\n{}")) }}\n';
const facts =
  '{{ trigger }} {{ path }} {{ instance.name }} {{ instance.type }} {{ container.privileged }} {{ properties.color }} {{ devices.root.path }} {{ config["user.a.b"] }}\n';

test('templates are created, listed, shown, changed and deleted', async () => {
  await daemon.must('init', 'tiny', 'c1', '-c', 'user.a.b=kept');
  const create = await daemon.cli(['config', 'template', 'create', 'c1', 'user-data.tpl'], { input: userData });
  expect(create).toMatchObject({ status: 0, stderr: '' });
  const stock = await daemon.lxc(['config', 'template', 'create', 'c1', 'facts.tpl']);
  expect(stock.status).toBe(0);
  expect((await daemon.lxc(['config', 'template', 'edit', 'c1', 'facts.tpl'], { input: facts })).status).toBe(0);
  expect((await daemon.lxc(['config', 'template', 'show', 'c1', 'facts.tpl'])).stdout).toBe(facts);
  expect(await daemon.must('config', 'template', 'list', 'c1', '-f', 'csv')).toBe(
    'facts.tpl\nhostname.tpl\nuser-data.tpl\n',
  );
  await daemon.must('config', 'template', 'create', 'c1', 'gone.tpl');
  expect((await daemon.lxc(['config', 'template', 'delete', 'c1', 'gone.tpl'])).status).toBe(0);
  expect((await daemon.request('GET', `${url}/templates?path=gone.tpl`)).status).toBe(404);
});

test('the metadata names when they are rendered, and both clients change it', async () => {
  const before = await daemon.request('GET', url);
  expect(before.json?.metadata.templates['/etc/hostname']).toEqual({
    when: ['create', 'copy', 'rename'],
    create_only: false,
    template: 'hostname.tpl',
    properties: {},
  });
  const templates = {
    '/var/lib/cloud/seed/nocloud-net/user-data': { when: ['create', 'copy'], template: 'user-data.tpl' },
    '/facts': { when: ['start'], template: 'facts.tpl', properties: { color: 'red' } },
  };
  const merged = { ...before.json?.metadata.templates, ...templates };
  expect((await daemon.request('PATCH', url, { templates: merged }, { 'if-match': 'other' })).status).toBe(412);
  expect((await daemon.request('PATCH', url, { templates: merged })).status).toBe(200);
  expect((await daemon.lxc(['config', 'metadata', 'show', 'c1'])).stdout).toContain('user-data.tpl');
  const shown = await daemon.must('config', 'metadata', 'show', 'c1');
  const edit = await daemon.cli(['config', 'metadata', 'edit', 'c1'], { input: shown.replace('busybox', 'changed') });
  expect(edit.status).toBe(0);
  expect((await daemon.request('GET', url)).json?.metadata.properties.os).toBe('changed');
});

test('the first start renders the seed from cloud-init.* keys, every start what is due then', async () => {
  await daemon.must('config', 'set', 'c1', 'user.user-data=#cloud-config\nold: 1');
  await daemon.must('config', 'set', 'c1', 'cloud-init.user-data=#cloud-config\nnew: 1');
  await daemon.must('start', 'c1');
  expect(await inside('cat', '/var/lib/cloud/seed/nocloud-net/user-data')).toBe('#cloud-config\nnew: 1\n');
  expect(await inside('cat', '/facts')).toBe('start /facts c1 container False red / kept\n');
  await daemon.must('config', 'set', 'c1', 'user.a.b=other');
  await daemon.must('restart', 'c1', '--force');
  expect(await inside('cat', '/facts')).toContain(' other');
});

test('a copy gets a seed of its own', async () => {
  await daemon.must('stop', 'c1', '--force');
  await daemon.must('copy', 'c1', 'c2', '-c', 'cloud-init.user-data=#cloud-config\ncopied: 1');
  await daemon.must('start', 'c2');
  const { stdout } = await daemon.cli(['exec', 'c2', '--', 'cat', '/var/lib/cloud/seed/nocloud-net/user-data']);
  expect(stdout).toBe('#cloud-config\ncopied: 1\n');
});

test.each([
  ['POST', `${url}/templates?path=../rootfs/etc/passwd`, 'x', 400],
  ['POST', `${url}/templates`, 'x', 400],
  ['GET', `${url}/templates?path=nothere`, undefined, 404],
  ['DELETE', `${url}/templates?path=nothere`, undefined, 404],
  ['PUT', url, { architecture: 'x86_64', templates: { '../x': { when: [], template: 'a' } } }, 400],
  ['PUT', url, { architecture: 'nosuch' }, 400],
  ['PUT', url, { architecture: 'x86_64', templates: { '/x': { when: [], template: '../../a' } } }, 400],
  ['GET', '/1.0/instances/nothere/metadata', undefined, 404],
])('%s %s with %j is refused', async (method, path, body, status) => {
  const before = (await daemon.request('GET', url)).json?.metadata;
  expect((await daemon.request(method, path, body)).status).toBe(status);
  expect((await daemon.request('GET', url)).json?.metadata).toEqual(before);
});
