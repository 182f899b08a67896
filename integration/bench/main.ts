import { existsSync, readFileSync } from 'node:fs';
import { makeBusyboxImage } from '../harness/busybox-image.ts';
import { installedPath } from '#base/install-root.ts';
import { hostState, leftovers } from '../harness/host.ts';
import { settled } from '../harness/settled.ts';
import { Endpoint, usingEndpoints } from './endpoint.ts';
import { type Row, printTable } from './measure.ts';
import { measureMoving } from './moving.ts';
import { type Figures, hostSpawnMs, measure, prepare, type Sizes } from './workloads.ts';

const quick = process.argv.includes('--quick');
const sizes: Sizes = quick ? { runs: 3, stopped: 30, running: 3 } : { runs: 7, stopped: 300, running: 20 };

async function figuresOf(endpoint: Endpoint, image: Buffer): Promise<Figures> {
  return await usingEndpoints([endpoint], async () => {
    const started = await endpoint.start();
    const fingerprint = await prepare(endpoint, image);
    return { ...(await measure(endpoint, fingerprint, sizes)), started };
  });
}

function rowsOf(ours: Figures, lxd: Figures | undefined, hostSpawn: number): readonly Row[] {
  const row = (what: string, key: string, goal: number): Row => ({
    what,
    unit: 'ms',
    ours: ours[key] ?? Number.NaN,
    lxd: lxd?.[key],
    goal,
  });
  const many = `${String(sizes.stopped)} stopped and ${String(sizes.running)} running`;
  const execApi = ours['exec'] ?? Number.NaN;
  return [
    row('start to RUNNING', 'start', 0.35),
    row('create from a cached image', 'create', 0.35),
    row('snapshot', 'snapshot', 0.3),
    {
      what: "exec of `true` over the API, beside LXD's CLI exec",
      unit: 'ms',
      ours: execApi,
      lxd: lxd?.['exec-cli'],
      goal: 0.15,
    },
    {
      what: 'exec of `true` over the API, beside a host process from Node',
      unit: 'ms',
      ours: execApi,
      lxd: hostSpawn,
      goal: 2,
    },
    row('exec of `true` by the command line', 'exec-cli', 1),
    row(`list with state, ${many}`, 'list', 0.2),
    row(`command line \`list\`, ${many}`, 'list-cli', 1),
    {
      what: `daemon ready again, ${many}`,
      unit: 'ms',
      ours: ours['ready'] ?? Number.NaN,
      lxd: lxd?.['ready'],
      goal: 500,
      absolute: true,
    },
    {
      what: `daemon memory, ${many}`,
      unit: 'MiB',
      ours: ours['memory'] ?? Number.NaN,
      lxd: lxd?.['memory'],
      goal: 120,
      absolute: true,
    },
    {
      what: 'private memory of a monitor',
      unit: 'MiB',
      ours: ours['monitor'] ?? Number.NaN,
      lxd: lxd?.['monitor'],
      goal: 1,
      absolute: true,
    },
  ];
}

async function main(): Promise<void> {
  const image = makeBusyboxImage();
  const bytes = readFileSync(image.file);
  image.remove();
  const launcher = installedPath('lxd-like');
  const ours = await figuresOf(new Endpoint('lxd-like', [launcher, 'daemon'], launcher), bytes);
  const alone = process.argv.includes('--alone');
  const stock = alone ? undefined : ['/usr/sbin/lxd', '/usr/bin/lxd'].find(file => existsSync(file));
  const lxd = stock
    ? await figuresOf(new Endpoint('LXD', [stock, '--group', 'root'], '/usr/bin/lxc'), bytes)
    : undefined;
  if (!stock && !alone) console.log('Stock LXD is not installed here: only our own figures\n');
  const moving = await measureMoving(bytes, quick ? 256 : 1024, quick ? 1 : 3);
  printTable([...rowsOf(ours, lxd, await hostSpawnMs(sizes.runs * 3)), ...moving]);
}

const before = hostState();
await main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
await settled(() => leftovers(before, hostState()).length === 0);
for (const line of leftovers(before, hostState())) {
  console.error(`Left behind: ${line}`);
  process.exitCode = 1;
}
