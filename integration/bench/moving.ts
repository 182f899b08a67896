import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { installedPath } from '#base/install-root.ts';
import { freePort } from '../harness/free-port.ts';
import { Endpoint, usingEndpoints } from './endpoint.ts';
import { medianMs, type Row } from './measure.ts';
import { prepare } from './workloads.ts';

/** Moving between two of our own daemons on this machine, each with a btrfs pool. */
export async function measureMoving(image: Buffer, megabytes: number, runs: number): Promise<readonly Row[]> {
  const launcher = installedPath('lxd-like');
  const [here, there] = [0, 1].map(
    number => new Endpoint(`lxd-like ${String(number)}`, [launcher, 'daemon'], launcher),
  ) as [Endpoint, Endpoint];
  return await usingEndpoints([here, there], async () => {
    for (const endpoint of [here, there]) {
      await endpoint.start();
      await prepare(endpoint, image);
      const config = { 'core.https_address': `127.0.0.1:${String(await freePort())}`, 'core.trust_password': 'bench' };
      await endpoint.request('PUT', '/1.0', { config });
    }
    return await rowsOf(here, there, megabytes, runs);
  });
}

async function rowsOf(here: Endpoint, there: Endpoint, megabytes: number, runs: number): Promise<readonly Row[]> {
  const cli = (...args: readonly string[]): string =>
    execFileSync(here.cli, args, { env: here.environment, encoding: 'utf8' });
  const address = ((await there.request('GET', '/1.0')) as { metadata: { config: Record<string, string> } }).metadata
    .config['core.https_address'];
  cli('remote', 'add', 'there', address ?? '', '--accept-certificate', '--password', 'bench');
  const [image = ''] = cli('image', 'list', '-f', 'csv', '-c', 'f').trim().split('\n');
  cli('init', image, 'big');
  cli('snapshot', 'big', 'empty');
  const content = path.join(here.directory, 'storage-pools/default/containers/big/rootfs/content');
  execFileSync('dd', ['if=/dev/urandom', `of=${content}`, 'bs=1M', `count=${String(megabytes)}`, 'status=none']);
  cli('snapshot', 'big', 'full');

  const remove = (): Promise<unknown> => there.operate('DELETE', '/1.0/instances/big');
  const copy = await medianMs(runs, async () => cli('copy', 'big', 'there:'), remove);
  const plain = await medianMs(
    runs,
    () => throughTls(here, there),
    async () => deleteReceived(there),
  );
  cli('copy', 'big', 'there:');
  const refresh = await medianMs(runs, async () => cli('copy', 'big', 'there:', '--refresh'));
  await remove();
  cli('start', 'big');
  const migrated = cli('migrate', 'big', 'there:', '--timeout', '5');
  const downtime = Number(/downtime ([\d.]+) s/.exec(migrated)?.[1]) * 1000;
  await there.changeState('big', 'stop');
  await remove();
  const absolute = { unit: 'ms', lxd: undefined, absolute: true } as const;
  return [
    {
      what: `copy of ${String(megabytes)} MB to another server, beside btrfs send and receive through TLS`,
      unit: 'ms',
      ours: copy,
      lxd: plain,
      goal: 1.15,
    },
    { what: 'refresh of an unchanged copy on another server', ours: refresh, goal: 1000, ...absolute },
    { what: 'stop of a container that migrates in rounds', ours: downtime, goal: 2000, ...absolute },
  ];
}

const receivedIn = 'bench-received';

/** The floor: the same two streams with nothing but the tools, over one connection. */
async function throughTls(here: Endpoint, there: Endpoint): Promise<void> {
  const port = String(await freePort());
  const target = path.join(there.directory, 'storage-pools/default', receivedIn);
  const source = path.join(here.directory, 'storage-pools/default/containers-snapshots/big');
  mkdirSync(target);
  const identity = `cert=${here.directory}/server.crt,key=${here.directory}/server.key,verify=0`;
  const server = `socat -u OPENSSL-LISTEN:${port},reuseaddr,${identity} STDOUT | btrfs receive -q ${target}`;
  const streams = `btrfs send -q ${source}/empty; btrfs send -q -p ${source}/empty ${source}/full`;
  const client = `sleep 0.2; (${streams}) | socat -u -b 262144 STDIN OPENSSL:127.0.0.1:${port},verify=0`;
  const ended = [server, client].map(script =>
    once(spawn('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] }), 'exit'),
  );
  await Promise.all(ended);
  // A source may be deleted when the target has it: ours is on disk by then, so this one must be.
  execFileSync('btrfs', ['filesystem', 'sync', target]);
}

function deleteReceived(there: Endpoint): void {
  const folder = path.join(there.directory, 'storage-pools/default', receivedIn);
  for (const name of ['full', 'empty']) execFileSync('btrfs', ['subvolume', 'delete', path.join(folder, name)]);
  rmSync(folder, { recursive: true });
}
