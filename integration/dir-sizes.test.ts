import { expect, test } from 'vitest';
import { useDaemon } from './harness/fixture.ts';

// dir pools on a file system without project quotas; with them: integration/vm/project-quota.test.ts
const daemon = useDaemon();

test('sizes are taken on a pool that cannot enforce them, and a warning of the pool says so', async () => {
  await daemon.must('storage', 'create', 'plain', 'dir', 'volume.size=20MiB');
  await daemon.must('storage', 'volume', 'create', 'plain', 'data');
  await daemon.must('storage', 'volume', 'set', 'plain', 'data', 'size=10MiB');
  await daemon.mustLxc('init', '--empty', 'c1', '-s', 'plain', '-d', 'root,size=1GiB');
  await daemon.mustLxc('config', 'device', 'set', 'c1', 'root', 'size', '2GiB');
  await daemon.mustLxc('copy', 'c1', 'c2');
  expect(await daemon.mustLxc('config', 'device', 'get', 'c2', 'root', 'size')).toBe('2GiB\n');
  await daemon.mustLxc('config', 'device', 'unset', 'c1', 'root', 'size');

  const warnings = await daemon.request('GET', '/1.0/warnings?recursion=1');
  expect(warnings.json?.metadata).toMatchObject([
    {
      type: 'Size of storage volumes not enforced',
      entity_url: '/1.0/storage-pools/plain',
      count: 5,
      last_message: expect.stringMatching(/^Cannot limit the size of .* "plain" has no project quotas/),
    },
  ]);
  expect((await daemon.lxc(['config', 'device', 'set', 'c1', 'root', 'size', 'much'])).status).not.toBe(0);

  for (const name of ['c1', 'c2']) await daemon.mustLxc('delete', name);
  await daemon.mustLxc('storage', 'volume', 'delete', 'plain', 'data');
  await daemon.must('storage', 'delete', 'plain');
  expect((await daemon.request('GET', '/1.0/warnings')).json?.metadata).toEqual([]);
});
