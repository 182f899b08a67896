import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Endpoint } from './endpoint.ts';
import { medianMs } from './measure.ts';

/** What one endpoint took, by row. */
export type Figures = Readonly<Record<string, number>>;

export interface Sizes {
  readonly runs: number;
  readonly stopped: number;
  readonly running: number;
}

/** Pool, profile and image: the same for both endpoints. */
export async function prepare(endpoint: Endpoint, image: Buffer): Promise<string> {
  await endpoint.request('POST', '/1.0/storage-pools', { name: 'default', driver: 'btrfs', config: { size: '10GiB' } });
  const devices = { root: { type: 'disk', path: '/', pool: 'default' } };
  await endpoint.request('PUT', '/1.0/profiles/default', { config: {}, devices, description: '' });
  const { fingerprint } = (await endpoint.operate('POST', '/1.0/images', image, {
    'content-type': 'application/octet-stream',
    'x-lxd-filename': 'bench',
  })) as { fingerprint: string };
  return fingerprint;
}

export async function measure(endpoint: Endpoint, fingerprint: string, sizes: Sizes): Promise<Figures> {
  const create = async (name: string): Promise<void> => {
    await endpoint.operate('POST', '/1.0/instances', { name, source: { type: 'image', fingerprint } });
  };
  await create('warm');
  await endpoint.operate('DELETE', '/1.0/instances/warm');
  const figures: Record<string, number> = {};

  figures['create'] = await medianMs(
    sizes.runs,
    run => create(`new${String(run)}`),
    run => endpoint.operate('DELETE', `/1.0/instances/new${String(run)}`),
  );
  await create('c1');
  await endpoint.changeState('c1', 'start');
  await endpoint.changeState('c1', 'stop');
  figures['start'] = await medianMs(
    sizes.runs,
    () => endpoint.changeState('c1', 'start'),
    () => endpoint.changeState('c1', 'stop'),
  );
  await endpoint.changeState('c1', 'start');
  figures['exec'] = await medianMs(sizes.runs * 3, () => execTrue(endpoint));
  figures['exec-cli'] = await medianMs(sizes.runs, () => program(endpoint, ['exec', 'c1', '--', 'true']));
  figures['snapshot'] = await medianMs(sizes.runs, run =>
    endpoint.operate('POST', '/1.0/instances/c1/snapshots', { name: `s${String(run)}`, stateful: false }),
  );
  await endpoint.changeState('c1', 'stop');
  await endpoint.operate('DELETE', '/1.0/instances/c1');

  const names = Array.from({ length: sizes.stopped + sizes.running }, (_, n) => `box${String(n)}`);
  for (const name of names) await create(name);
  for (const name of names.slice(0, sizes.running)) await endpoint.changeState(name, 'start');
  await endpoint.request('GET', '/1.0/instances?recursion=2');
  figures['list'] = await medianMs(sizes.runs, () => endpoint.request('GET', '/1.0/instances?recursion=2'));
  figures['list-cli'] = await medianMs(sizes.runs, () => program(endpoint, ['list', '--format', 'csv']));
  figures['memory'] = residentMiB(endpoint.pid);
  figures['monitor'] = monitorMiB(await pidOf(endpoint, 'box0'));
  await endpoint.stop();
  figures['ready'] = await endpoint.start();
  for (const name of names) {
    if (names.indexOf(name) < sizes.running) await endpoint.changeState(name, 'stop');
    await endpoint.operate('DELETE', `/1.0/instances/${name}`);
  }
  return figures;
}

async function execTrue(endpoint: Endpoint): Promise<void> {
  const body = { command: ['true'], 'wait-for-websocket': false, interactive: false, environment: {} };
  const metadata = (await endpoint.operate('POST', '/1.0/instances/c1/exec', body)) as { return: number };
  if (metadata.return !== 0) throw new Error(`exec gave ${String(metadata.return)}`);
}

async function program(endpoint: Endpoint, args: readonly string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    execFile(endpoint.cli, args, { env: endpoint.environment }, error => (error ? reject(error) : resolve()));
  });
}

/** Median milliseconds of starting `true` on the host from Node: the floor for exec. */
export async function hostSpawnMs(runs: number): Promise<number> {
  return await medianMs(runs, async () => {
    await new Promise(resolve => spawn('/bin/true', { stdio: 'ignore' }).once('exit', resolve));
  });
}

async function pidOf(endpoint: Endpoint, name: string): Promise<number> {
  const { metadata } = (await endpoint.request('GET', `/1.0/instances/${name}/state`)) as { metadata: { pid: number } };
  return metadata.pid;
}

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1]) / 1024;
}

/** Private memory of the process that watches a container: the parent of its init. */
function monitorMiB(init: number): number {
  const parent = /PPid:\s+(\d+)/.exec(readFileSync(`/proc/${String(init)}/status`, 'utf8'))?.[1] ?? '';
  const rollup = readFileSync(`/proc/${parent}/smaps_rollup`, 'utf8');
  const kilobytes = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  );
  return kilobytes / 1024;
}
