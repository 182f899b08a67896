import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { activationReason } from './activate-if-needed.ts';
import { InnerDaemon } from './http/testing/test-daemon.ts';
import { StatePaths } from './paths.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'activate-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function withDatabases(...statements: readonly string[]): Promise<string> {
  const inner = await InnerDaemon.start(root);
  for (const query of statements) await inner.ask('POST', '/internal/sql', { body: { database: 'global', query } });
  await inner.daemon.stop();
  return (await activationReason(new StatePaths(root))).text;
}

test('a directory that no daemon has used needs none', async () => {
  expect(await activationReason(new StatePaths(root))).toEqual({
    activate: false,
    text: 'No local database, so no need to start the daemon now',
  });
});

test('a daemon without work is not needed', async () => {
  expect(await withDatabases()).toBe('No need to start the daemon now');
});

const instance = `INSERT INTO instances (id, project_id, name, architecture, creation_date, last_use_date, storage_pool)
  VALUES (1, 1, 'c1', 'x86_64', '', '', 'p')`;

test.each([
  ['boot.autostart', 'true', 'Daemon has auto-started instances, activating...'],
  ['volatile.last_state.power', 'RUNNING', 'Daemon has auto-started instances, activating...'],
  ['snapshots.schedule', '@daily', 'Daemon has scheduled instance snapshots, activating...'],
  ['snapshots.schedule', '@never', 'No need to start the daemon now'],
])('%s=%s', async (key, value, text) => {
  const row = `INSERT INTO instances_config (instance_id, key, value) VALUES (1, '${key}', '${value}')`;
  expect(await withDatabases(instance, row)).toBe(text);
});

test('a schedule in a profile counts', async () => {
  const key = `INSERT INTO profiles_config (profile_id, key, value) VALUES (1, 'snapshots.schedule', '@daily')`;
  const use = 'INSERT INTO instances_profiles (instance_id, profile_id, apply_order) VALUES (1, 1, 1)';
  expect(await withDatabases(instance, key, use)).toBe('Daemon has scheduled instance snapshots, activating...');
});
