import { setTimeout as sleep } from 'node:timers/promises';
import { command, type CommandSpec, type Format, formatOption, integer } from '../command.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';
import { usageOf, type InstanceUsage } from '../../metrics.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'top',
    usage: '[<remote>:]',
    summary: 'Show what running instances use',
    details: 'On a terminal the table is drawn again until the command is interrupted; elsewhere it is printed once.',
    examples: [
      ['top', 'Watch the instances of the default remote.'],
      ['top --format csv', 'Print the usage once, for a script.'],
    ],
    options: { format: formatOption, refresh: integer('-d,--refresh', 'Seconds between two looks', 5) },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const look = async (): Promise<readonly InstanceUsage[]> => {
        const { text } = await client.transport.raw('GET', '/1.0/metrics');
        return usageOf(text);
      };
      if (!session.streams.stdout.isTTY || options.format !== 'table')
        return show(session, options.format as Format, [], await look());
      for (let before: readonly InstanceUsage[] = []; ;) {
        const now = await look();
        session.streams.stdout.write('\x1b[H\x1b[2J');
        await show(session, 'table', before, now, options.refresh);
        before = now;
        await sleep(Math.max(1, options.refresh) * 1000);
      }
    },
  }),
];

async function show(
  session: Session,
  format: Format,
  before: readonly InstanceUsage[],
  now: readonly InstanceUsage[],
  seconds = 1,
): Promise<void> {
  const former = new Map(before.map(usage => [`${usage.project}/${usage.name}`, usage.cpuSeconds]));
  const share = ({ project, name, cpuSeconds }: InstanceUsage): string => {
    const earlier = former.get(`${project}/${name}`);
    return earlier === undefined ? '' : `${((100 * (cpuSeconds - earlier)) / seconds).toFixed(1)}%`;
  };
  const busiest = [...now].sort((one, other) => other.cpuSeconds - one.cpuSeconds);
  await printList(session, format, busiest, () => ({
    header: ['INSTANCE NAME', 'PROJECT', 'CPU', 'CPU TIME(S)', 'MEMORY', 'PROCESSES'],
    rows: busiest.map(usage => [
      usage.name,
      usage.project,
      share(usage),
      usage.cpuSeconds.toFixed(2),
      mebibytes(usage.memoryBytes),
      String(usage.processes),
    ]),
  }));
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)}MiB`;
}
