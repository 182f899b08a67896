import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StatePaths } from '../paths.ts';
import { deleteLog, listLogs, readLog } from './logs.ts';

const instance = { project: 'default', name: 'c1', id: 'c1', config: {} };
let folder: string;
let services: { paths: StatePaths };
beforeEach(() => {
  folder = mkdtempSync('/tmp/logs-test-');
  services = { paths: new StatePaths(folder) };
  mkdirSync(`${folder}/logs/c1`, { recursive: true });
  for (const name of ['lxc.log', 'exec_1.stdout', 'other']) writeFileSync(`${folder}/logs/c1/${name}`, name);
  writeFileSync(`${folder}/secret`, 'secret');
  symlinkSync(`${folder}/secret`, `${folder}/logs/c1/exec_link`);
  execFileSync('mkfifo', [`${folder}/logs/c1/exec_fifo`]);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('logs', () => {
  test('lists regular files that are logs', async () => {
    expect(await listLogs(services, instance)).toEqual([
      '/1.0/instances/c1/logs/exec_1.stdout',
      '/1.0/instances/c1/logs/lxc.log',
    ]);
    expect(await listLogs(services, { ...instance, id: 'none' })).toEqual([]);
  });

  test('reads one', async () => {
    const parts = await (await readLog(services, instance, 'exec_1.stdout')).toArray();
    expect(Buffer.concat(parts as Buffer[]).toString()).toBe('exec_1.stdout');
  });

  test.each(['exec_none', 'exec_link', 'exec_fifo'])('does not find %s', async name => {
    await expect(readLog(services, instance, name)).rejects.toMatchObject({ code: 'not-found' });
  });

  test.each(['other', '', '..', 'exec_/../../secret', 'exec_\0'])('refuses %j', async name => {
    await expect(readLog(services, instance, name)).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(deleteLog(services, instance, name)).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test("deletes what is not the runtime's, also twice", async () => {
    await deleteLog(services, instance, 'exec_1.stdout');
    await deleteLog(services, instance, 'exec_1.stdout');
    await expect(deleteLog(services, instance, 'lxc.log')).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(readdirSync(`${folder}/logs/c1`)).toContain('lxc.log');
  });
});
