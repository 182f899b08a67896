import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';
import { TestDaemon } from './harness/daemon.ts';
import { freePort } from './harness/free-port.ts';

describe('what tools around LXD expect of the daemon program', () => {
  const daemon = useDaemon({ storage: 'dir' });

  test('the state directory has the folders they look into', () => {
    const folders = ['backups', 'cache', 'containers', 'devices', 'devlxd', 'disks', 'images', 'logs', 'networks'];
    const more = ['security', 'shmounts', 'snapshots', 'storage-pools', 'unix.socket', 'server.crt', 'server.key'];
    expect(readdirSync(daemon.directory)).toEqual(expect.arrayContaining([...folders, ...more]));
  });

  test('sql prints rows and counts changes', async () => {
    await daemon.must('init', 'tiny', 'c1');
    expect(await daemon.must('sql', 'global', 'SELECT name FROM instances')).toContain('| c1   |');
    expect(await daemon.must('sql', 'global', "UPDATE instances SET description = 'x' WHERE name = 'c1'")).toBe(
      'Rows affected: 1\n',
    );
    expect(await daemon.must('sql', 'global', '.schema')).toContain('CREATE TABLE instances_config');
    expect(await daemon.must('sql', 'local', '.dump')).toContain('CREATE TABLE config');
    expect((await daemon.cli(['sql', 'global', 'SELEC'])).status).toBe(1);
    await daemon.must('delete', 'c1');
  });

  test('garbage is collected when asked', async () => {
    expect((await daemon.request('GET', '/internal/gc')).status).toBe(200);
  });

  test('says that it is in no cluster, and stays out of it', async () => {
    const { json } = await daemon.request('GET', '/1.0/cluster');
    expect(json?.metadata).toEqual({ server_name: '', enabled: false, member_config: [] });
    expect((await daemon.request('PUT', '/1.0/cluster', { server_name: '', enabled: false })).status).toBe(200);
    expect((await daemon.request('PUT', '/1.0/cluster', { server_name: 'a', enabled: true })).status).toBe(501);
    const members = await daemon.request('GET', '/1.0/cluster/members');
    expect([members.status, members.json?.error]).toEqual([400, 'This server is not clustered']);
  });

  test('pages of an allowed origin may use the API, others may not', async () => {
    const browser = { 'sec-fetch-site': 'cross-site' };
    const origin = { origin: 'https://ui.example', ...browser };
    expect((await daemon.request('GET', '/1.0', undefined, origin)).status).toBe(403);
    await daemon.must('config', 'set', 'core.https_allowed_origin', 'https://ui.example');
    await daemon.must('config', 'set', 'core.https_allowed_methods', 'GET, POST');
    const { status, headers } = await daemon.request('OPTIONS', '/1.0/instances', undefined, origin);
    expect([status, headers['access-control-allow-origin'], headers['access-control-allow-methods']]).toEqual([
      200,
      'https://ui.example',
      'GET, POST',
    ]);
    expect(
      (await daemon.request('GET', '/1.0', undefined, { origin: 'https://other.example', ...browser })).status,
    ).toBe(403);
  });

  test('activateifneeded says why the daemon should run, also while it is down', async () => {
    expect((await daemon.cli(['activateifneeded', '--debug'])).stderr).toBe('No need to start the daemon now\n');
    await daemon.must('config', 'set', 'core.https_address', `127.0.0.1:${String(await freePort())}`);
    await daemon.terminate();
    expect((await daemon.cli(['activateifneeded'])).stderr).toContain('core.https_address set, activating');
    await daemon.start();
  });
});

test('a patch file that cannot be run makes the start fail, and its removal mends it', async () => {
  const daemon = new TestDaemon();
  const folder = path.join(daemon.directory, 'database');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'patch.global.sql'), 'INSERT INTO nothere VALUES (1);');
  daemon.spawn();
  expect(await daemon.ended()).toBe(1);
  expect(daemon.log).toContain('patch.global.sql');
  writeFileSync(path.join(folder, 'patch.global.sql'), "INSERT INTO config (key, value) VALUES ('user.x', 'y');");
  await daemon.start();
  expect(await daemon.must('config', 'get', 'user.x')).toBe('y\n');
  expect(existsSync(path.join(folder, 'patch.global.sql'))).toBe(false);
  await daemon.destroy();
});
