import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeBusyboxImage } from './harness/busybox-image.ts';
import type { TestDaemon } from './harness/daemon.ts';
import { useDaemon } from './harness/fixture.ts';
import type { Output } from './harness/run-program.ts';
import { cases } from './oracle/cases.ts';
import { normalise } from './oracle/normalise.ts';
import { shapeOf } from './oracle/shape.ts';
import { StockDaemon } from './oracle/stock-daemon.ts';

/**
 * The same commands of the stock client against LXD and against us: what is printed must be the same. Of a refusal only
 * the exit status counts, as our messages say more.
 */
describe.skipIf(!existsSync('/usr/bin/lxd'))('answers like stock LXD', () => {
  const ours = useDaemon({ storage: 'btrfs', network: true });
  const stock = new StockDaemon();
  beforeAll(async () => {
    await stock.start();
    await prepare(stock);
  });
  afterAll(() => stock.destroy());

  test.each(cases)('$area', async ({ commands }) => {
    const answers = { stock: [] as string[], ours: [] as string[] };
    for (const command of commands) {
      answers.stock.push(await answerOf(stock, command));
      answers.ours.push(await answerOf(ours, command));
    }
    expect(answers.ours).toEqual(answers.stock);
  });
});

async function prepare(stock: StockDaemon): Promise<void> {
  const must = async (...args: readonly string[]): Promise<void> => {
    const { status, stderr } = await stock.lxc(args);
    if (status !== 0) throw new Error(`Stock LXD refused ${args.join(' ')}: ${stderr}`);
  };
  await must('storage', 'create', 'default', 'btrfs', 'size=5GiB');
  await must('profile', 'device', 'add', 'default', 'root', 'disk', 'path=/', 'pool=default');
  // it looks for a free subnet by asking the network around, which may answer for all of them
  await must('network', 'create', stock.bridge, 'ipv4.address=10.213.77.1/24', 'ipv4.nat=true');
  await must('profile', 'device', 'add', 'default', 'eth0', 'nic', `network=${stock.bridge}`, 'name=eth0');
  const image = makeBusyboxImage();
  try {
    await must('image', 'import', image.file, '--alias', 'tiny');
  } finally {
    image.remove();
  }
}

async function answerOf(daemon: TestDaemon | StockDaemon, command: string): Promise<string> {
  const [typed = '', input] = command.replace(/^shape /, 'query ').split(' <<< ');
  const args = words(typed).map(word => word.replaceAll('BRIDGE', daemon.bridge));
  const output =
    daemon instanceof StockDaemon
      ? await daemon.lxc(args, input)
      : await daemon.lxc(['--quiet', ...args], { ...(input !== undefined && { input }) });
  return `$ lxc ${command}\n${normalise(printed(shaped(output, command), args), { BRIDGE: daemon.bridge, DIR: daemon.directory })}`;
}

function shaped(output: Output, command: string): Output {
  return command.startsWith('shape ') && output.status === 0 ? { ...output, stdout: shapeOf(output.stdout) } : output;
}

/** An exec's own output and status count whatever they are. */
function printed({ status, stdout, stderr }: Output, args: readonly string[]): string {
  const refused = status !== 0 && args[0] !== 'exec';
  return refused ? `refused with ${String(status)}` : `${stdout}${stderr}status ${String(status)}`;
}

/** Splits at blanks outside double quotes. */
function words(command: string): readonly string[] {
  return (command.match(/"[^"]*"|\S+/g) ?? []).map(word => word.replaceAll('"', ''));
}
