import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { faultPoints } from '#base/fault-point.ts';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs', network: true });
const backup = `/tmp/lxdl-faults-${String(process.pid)}.tar.gz`;
afterAll(() => rmSync(backup, { force: true }));

/** What starts each operation whose steps have fault points, by the first word of the point's name. */
const triggers: Readonly<Record<string, readonly string[]>> = {
  create: ['init', 'tiny', 'victim'],
  start: ['start', 'victim'],
  stop: ['stop', 'victim', '--force'],
  snapshot: ['snapshot', 'victim', 'snap'],
  restore: ['restore', 'victim', 'before'],
  rename: ['rename', 'victim', 'renamed'],
  copy: ['copy', 'victim', 'copied'],
  move: ['move', 'victim', 'renamed', '--storage', 'other'],
  renew: ['copy', 'bystander', 'victim', '--refresh'],
  delete: ['delete', 'victim', '--no-trash'],
  trash: ['delete', 'victim'],
  untrash: ['trash', 'restore', 'victim'],
  empty: ['trash', 'empty'],
  backup: ['query', '-X', 'POST', '/1.0/instances/victim/backups', '-d', '{"name":"kept"}'],
  import: ['import', backup, 'imported'],
};

/** Those with a file of tests of their own. */
const elsewhere = /^(volume-|receive\.|refresh\.|hand-over\.|take-over\.|server-folder\.)/;

async function prepare(operation: string): Promise<void> {
  if (operation === 'create') return;
  await daemon.must('init', 'tiny', 'victim');
  if (operation === 'restore') await daemon.must('snapshot', 'victim', 'before');
  if (operation === 'import') await daemon.must('export', 'victim', backup);
  if (operation === 'stop') await daemon.must('start', 'victim');
  if (operation === 'untrash' || operation === 'empty') await daemon.must('delete', 'victim');
}

/** What was on its way into the trash or out of it is in one place, whole; what is deleted from it is gone. */
async function expectOnce(operation: string): Promise<void> {
  if (!['trash', 'untrash', 'empty'].includes(operation)) return;
  const trash = (await daemon.request('GET', '/1.0/trash?recursion=1')).json?.metadata as { name: string }[];
  const { status } = await daemon.request('GET', '/1.0/instances/victim');
  expect([trash.map(({ name }) => name), status]).toEqual(
    operation === 'trash' ? [['victim'], 404] : [[], operation === 'untrash' ? 200 : 404],
  );
  if (operation === 'trash') await daemon.must('trash', 'restore', 'victim');
}

/** Every instance there is can be read, started, stopped and deleted; every name is free again. */
async function expectWhole(): Promise<void> {
  for (const name of ['victim', 'renamed', 'copied', 'imported']) {
    const { status, json } = await daemon.request('GET', `/1.0/instances/${name}?recursion=1`);
    if (status === 404) {
      await daemon.must('init', 'tiny', name);
    } else {
      expect(['Running', 'Stopped']).toContain(json?.metadata.status);
      if (json?.metadata.status === 'Stopped') await daemon.must('start', name);
      expect(await daemon.must('exec', name, '--', 'cat', '/etc/passwd')).toContain('root');
    }
    await daemon.must('delete', name, '--force', '--no-trash');
  }
}

describe('the daemon is killed', () => {
  test.each(faultPoints.filter(point => !elsewhere.test(point)).map(point => [point] as const))(
    'at %s',
    async point => {
      const operation = point.split('.')[0] ?? '';
      const trigger = triggers[operation];
      expect(trigger, `no trigger for ${operation}`).toBeDefined();
      await daemon.must('launch', 'tiny', 'bystander');
      if (operation === 'move') await daemon.must('storage', 'create', 'other', 'dir');
      await prepare(operation);
      const before = (await daemon.request('GET', '/1.0/instances/bystander/state')).json?.metadata.pid as number;
      await daemon.killAt(point, () => daemon.cli(trigger ?? []));
      expect((await daemon.request('GET', '/1.0/instances/bystander/state')).json?.metadata.pid).toBe(before);
      await expectOnce(operation);
      await expectWhole();
      await daemon.must('delete', 'bystander', '--force', '--no-trash');
      const uploads = readdirSync(path.join(daemon.directory, 'backups')).filter(name =>
        name.startsWith('lxd_backup_'),
      );
      expect(uploads).toEqual([]);
      if (operation === 'move') await daemon.must('storage', 'delete', 'other');
      expect((await daemon.request('GET', '/1.0/instances')).json?.metadata).toEqual([]);
    },
  );
});
