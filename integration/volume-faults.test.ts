import { rmSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { faultPoints } from '#base/fault-point.ts';
import { useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });

const backup = `/tmp/lxdl-volume-faults-${String(process.pid)}.tar.gz`;
afterAll(() => rmSync(backup, { force: true }));

/** What starts each operation on volumes whose steps have fault points, by the first word of the point's name. */
const triggers: Readonly<Record<string, readonly string[]>> = {
  'volume-create': ['storage', 'volume', 'copy', 'default/source', 'default/made'],
  'volume-delete': ['storage', 'volume', 'delete', 'default', 'victim', '--no-trash'],
  'volume-trash': ['storage', 'volume', 'delete', 'default', 'victim'],
  'volume-untrash': ['trash', 'restore', 'victim'],
  'volume-rename': ['storage', 'volume', 'rename', 'default', 'victim', 'made'],
  'volume-move': ['storage', 'volume', 'move', 'default/victim', 'other/made'],
  'volume-refresh': ['storage', 'volume', 'copy', 'default/source', 'default/victim', '--refresh'],
  'volume-import': ['storage', 'volume', 'import', 'default', backup, 'made'],
  'volume-snapshot': ['storage', 'volume', 'snapshot', 'default', 'victim', 'made'],
};

async function names(pool: string): Promise<readonly string[]> {
  const list = await daemon.must('storage', 'volume', 'list', pool, 'type=custom', '-f', 'csv', '-c', 'n');
  return list.trim().split('\n');
}

async function content(pool: string, volume: string): Promise<string> {
  await daemon.must('storage', 'volume', 'attach', pool, volume, 'reader', 'seen', '/seen');
  const text = await daemon.must('exec', 'reader', '--', 'cat', '/seen/file');
  await daemon.must('storage', 'volume', 'detach', pool, volume, 'reader', 'seen');
  return text;
}

async function fill(volume: string): Promise<void> {
  await daemon.must('storage', 'volume', 'create', 'default', volume);
  await daemon.must('storage', 'volume', 'attach', 'default', volume, 'reader', 'seen', '/seen');
  await daemon.must('exec', 'reader', '--', 'sh', '-c', `echo ${volume} > /seen/file`);
  await daemon.must('storage', 'volume', 'detach', 'default', volume, 'reader', 'seen');
}

describe('the daemon is killed', () => {
  test('a running instance and another pool', async () => {
    await daemon.must('launch', 'tiny', 'reader');
    await daemon.must('storage', 'create', 'other', 'dir');
    await fill('source');
    await daemon.must('storage', 'volume', 'snapshot', 'default', 'source', 'snap0');
    await daemon.must('storage', 'volume', 'export', 'default', 'source', backup);
  });

  test.each(faultPoints.filter(point => point.startsWith('volume-')).map(point => [point] as const))(
    'at %s',
    async point => {
      const trigger = triggers[point.split('.')[0] ?? ''];
      expect(trigger, `no trigger for ${point}`).toBeDefined();
      await fill('victim');
      if (point.startsWith('volume-untrash')) await daemon.must('storage', 'volume', 'delete', 'default', 'victim');
      await daemon.killAt(point, () => daemon.cli(trigger ?? []));
      if (point.startsWith('volume-trash')) {
        expect(await names('default')).not.toContain('victim');
        await daemon.must('trash', 'restore', 'victim');
      }
      if (/-(un)?trash/.test(point)) expect(await names('default')).toContain('victim');
      expect(await daemon.must('trash', 'list', '-f', 'csv')).toBe('');
      for (const pool of ['default', 'other']) {
        for (const name of await names(pool)) {
          if (!['victim', 'made'].includes(name)) continue;
          expect(await content(pool, name)).toMatch(/^(victim|source)\n$/);
          await daemon.must('storage', 'volume', 'delete', pool, name, '--no-trash');
        }
      }
      expect(await names('default')).toEqual(['source', 'source/snap0']);
      expect(await names('other')).toEqual(['']);
      expect(await content('default', 'source')).toBe('source\n');
    },
  );

  test('nothing is left in the pools', async () => {
    const { readdirSync } = await import('node:fs');
    const folder = `${daemon.directory}/storage-pools`;
    expect(readdirSync(`${folder}/default/custom`)).toEqual(['default_source']);
    expect(readdirSync(`${folder}/default/custom-snapshots/default_source`)).toEqual(['snap0']);
    expect(readdirSync(`${folder}/other/custom`)).toEqual([]);
    await daemon.must('delete', 'reader', '--force');
    await daemon.must('storage', 'volume', 'delete', 'default', 'source', '--no-trash');
    await daemon.must('storage', 'delete', 'other');
  });
});
