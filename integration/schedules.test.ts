import { expect, test } from 'vitest';
import { settled, useDaemon } from './harness/fixture.ts';

const daemon = useDaemon({ storage: 'btrfs' });
const volume = '/1.0/storage-pools/default/volumes/custom/data';

/** The steps of each minute come round at once; what a schedule asks for is still done once a minute. */
async function restart(): Promise<void> {
  await daemon.terminate();
  await daemon.start({ LXD_LIKE_ROUND_MS: '300' });
}

async function snapshots(url: string): Promise<readonly { name: string; expires_at: string }[]> {
  return (await daemon.request('GET', `${url}/snapshots?recursion=1`)).json?.metadata as never;
}

test('schedules are checked when they are set', async () => {
  await daemon.must('init', 'tiny', 'c1');
  for (const value of ['@often', '* * * *', '61 * * * *']) {
    const { stderr } = await daemon.cli(['config', 'set', 'c1', `snapshots.schedule=${value}`]);
    expect(stderr).toContain('<minute> <hour> <day-of-month> <month> <day-of-week>');
  }
  expect((await daemon.lxc(['config', 'set', 'c1', 'snapshots.pattern', '{{ nonsense }}'])).status).toBe(1);
  expect((await daemon.cli(['config', 'set', 'c1', 'snapshots.retention=daily'])).stderr).toContain('must be a set');
});

test('snapshots are taken once a minute: of what runs, of what is stopped when asked, and of volumes', async () => {
  await daemon.must(
    'launch',
    'tiny',
    'runs',
    '-c',
    'snapshots.schedule=@never, * * * * *',
    '-c',
    'snapshots.expiry=1d',
  );
  await daemon.must('launch', 'tiny', 'late', '-c', 'snapshots.schedule=@yearly');
  await daemon.must('config', 'set', 'c1', 'snapshots.schedule=* * * * *');
  await daemon.must(
    'init',
    'tiny',
    'asked',
    '-c',
    'snapshots.schedule=* * * * *',
    '-c',
    'snapshots.schedule.stopped=true',
  );
  await daemon.must('config', 'set', 'asked', "snapshots.pattern=at-{{ creation_date|date:'2006-01-02' }}");
  await daemon.must('storage', 'volume', 'create', 'default', 'data', 'snapshots.schedule=* * * * *');
  await restart();
  expect(await settled(async () => (await snapshots(volume)).length > 0)).toBe(true);
  const day = new Date();
  const local = [day.getFullYear(), day.getMonth() + 1, day.getDate()].map(part => String(part).padStart(2, '0'));
  expect(await snapshots('/1.0/instances/asked')).toMatchObject([{ name: `at-${local.join('-')}` }]);
  expect(await snapshots('/1.0/instances/c1')).toEqual([]);
  expect(await snapshots('/1.0/instances/late')).toEqual([]);
  const [taken] = await snapshots('/1.0/instances/runs');
  expect(taken?.name).toBe('snap0');
  expect(Date.parse(taken?.expires_at ?? '')).toBeGreaterThan(Date.now() + 23 * 3600 * 1000);
  expect(await snapshots(volume)).toMatchObject([{ name: 'data/snap0', expires_at: null }]);
});

test('expired snapshots go, and scheduled ones that the retention set does not keep', async () => {
  await daemon.must('storage', 'volume', 'snapshot', 'default', 'data', 'old');
  await daemon.request('PATCH', `${volume}/snapshots/old`, { expires_at: '2020-01-01T00:00:00Z' });
  await daemon.must('snapshot', 'asked', 'by-hand');
  await daemon.must('config', 'set', 'asked', 'snapshots.retention=daily=1');
  await daemon.must('config', 'set', 'asked', 'snapshots.pattern=again%d');
  await daemon.must('storage', 'volume', 'set', 'default', 'data', 'snapshots.retention=daily=1');
  await restart();
  expect(await settled(async () => (await snapshots('/1.0/instances/asked'))[1]?.name === 'again0')).toBe(true);
  const names = (list: readonly { name: string }[]): readonly string[] => list.map(({ name }) => name);
  expect(await settled(async () => names(await snapshots('/1.0/instances/asked')).length === 2)).toBe(true);
  expect(names(await snapshots('/1.0/instances/asked'))).toEqual(['by-hand', 'again0']);
  expect(await settled(async () => names(await snapshots(volume)).join() === 'data/snap1')).toBe(true);
});

test('"@startup" means before each start', async () => {
  await daemon.must('config', 'set', 'c1', 'snapshots.schedule=@startup');
  await daemon.must('start', 'c1');
  expect(await snapshots('/1.0/instances/c1')).toMatchObject([{ name: 'snap0' }]);
  await daemon.must('delete', 'c1', 'runs', 'late', 'asked', '--force');
  await daemon.must('storage', 'volume', 'delete', 'default', 'data');
});
