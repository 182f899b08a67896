import { ApiError } from '#api/error.ts';
import { progressText, ProgressLine } from '../output/progress.ts';
import type { Migrated } from '../../migrate/migrate.ts';
import type { MethodName, MigrationPlan } from '../../migrate/plan.ts';
import type { TransferMode } from '../../transfer.ts';
import { command, type CommandSpec, flag, integer, text } from '../command.ts';
import type { Session } from '../session.ts';
import { type CopyOptions, copyOptions, endsOf, requestOf } from './copy.ts';

export const migrateOptions = {
  maxDowntime: text('--max-downtime', 'How long it may stand still, such as "2s" or "500ms"', '2s'),
  method: {
    ...text('--method', 'near-live or cold; the best one that is possible unless given'),
    values: ['near-live', 'cold'],
  },
  plan: flag('--plan', 'Say what would be done and what stands in the way; do nothing'),
  resume: flag('--resume', 'Go on with a move that was cut off'),
  timeout: integer('--timeout', 'Seconds that the guest may take to shut down', 30),
} as const;

export const commands: readonly CommandSpec[] = [
  command({
    path: 'migrate',
    usage: '[<remote>:]<instance> <remote>:[<instance>]',
    summary: 'Move an instance to another server with a short stop',
    details:
      'One that runs goes over in rounds while it runs, each with what came since the last, until the rest takes less than --max-downtime; then it is stopped, the rest follows and it starts there. The source is deleted when the target has everything and runs. Whatever fails before that leaves the source running. Two servers of ours do the last step by themselves: it goes well even if this command is killed.',
    examples: [
      ['migrate web office:', 'Move a running container.'],
      ['migrate web office: --plan', 'What would be moved, how, and what stands in the way.'],
      ['migrate web office: -d eth0,network=lan', 'The network there has another name.'],
      ['migrate web office: --resume', 'The connection was cut: go on where it was.'],
    ],
    options: { ...copyOptions, ...migrateOptions },
    run: async (session, [from = '', to = ''], options) => {
      await migrateInstance(session, from, to, options);
    },
  }),
];

type MigrateOptions = Omit<CopyOptions, 'mode' | 'ephemeral' | 'refresh' | 'keepIdentity'> & {
  readonly mode: string;
  readonly maxDowntime: string;
  readonly method: string | undefined;
  readonly plan: boolean;
  readonly resume: boolean;
  readonly timeout: number;
};

export async function migrateInstance(
  session: Session,
  from: string,
  to: string,
  options: MigrateOptions,
): Promise<void> {
  const mode = options.mode as TransferMode;
  const ends = await endsOf(session, from, to, options.targetProject);
  if (!ends.between) throw new ApiError('invalid-argument', 'Name another server to migrate to, such as "office:"');
  if (ends.snapshot !== undefined) throw new ApiError('invalid-argument', 'Only whole instances can be migrated');
  const maxDowntimeMs = milliseconds(options.maxDowntime);
  const copy = { ...options, mode, ephemeral: false, refresh: false, keepIdentity: true };
  const { original, request } = await requestOf(ends, copy);
  const { planMigration, assertPossible } = await import('../../migrate/plan.ts');
  const plan = await planMigration({
    ...ends,
    name: ends.from,
    newName: ends.to,
    devices: request.devices ?? {},
    profiles: request.profiles ?? [],
    wanted: options.method as MethodName | undefined,
    resume: options.resume,
  });
  if (options.plan) {
    session.out(renderPlan(plan, maxDowntimeMs));
    return;
  }
  const method = assertPossible(plan);
  for (const { blocks, text } of plan.reasons) if (!blocks) session.note(`Note: ${text}`);
  const running = plan.instance.status !== 'Stopped';
  const { migrate } = await import('../../migrate/migrate.ts');
  const progress = session.showsProgress ? new ProgressLine(session.streams.stderr) : undefined;
  // A client that left now could leave it stopped on both servers.
  const hold = (): void => session.note('The move is under way and cannot be left now');
  process.on('SIGINT', hold);
  try {
    const done = await migrate({
      ...ends,
      name: ends.from,
      newName: ends.to,
      mode,
      method,
      request: { ...request, ephemeral: original.ephemeral },
      instanceOnly: options.instanceOnly,
      allowInconsistent: options.allowInconsistent,
      resume: options.resume,
      maxDowntimeMs,
      stopTimeout: options.timeout,
      running,
      onStep: (step, operation) => progress?.show(progressText(step, operation?.metadata ?? null)),
    });
    progress?.clear();
    session.line(`Migrated ${ends.from}: ${summaryOf(done, running)}`);
  } finally {
    progress?.clear();
    process.off('SIGINT', hold);
  }
}

function summaryOf({ method, rounds, bytes, seconds, downtimeMs }: Migrated, ran: boolean): string {
  const parts = [`method ${ran ? method : 'stopped'}`, `${String(rounds)} rounds`, `${(bytes / 1e6).toFixed(1)} MB`];
  parts.push(`${seconds.toFixed(1)} s`);
  if (downtimeMs !== undefined) parts.push(`downtime ${(downtimeMs / 1000).toFixed(2)} s`);
  return parts.join(', ');
}

function renderPlan({ instance, method, reasons, bytes }: MigrationPlan, maxDowntimeMs: number): string {
  const lines = [
    `Instance: ${instance.name} (${instance.status.toLowerCase()})`,
    `Method: ${method ?? 'none is possible'}`,
  ];
  lines.push(`To move: ${bytes === undefined ? 'not known by its storage pool' : `${(bytes / 1e6).toFixed(1)} MB`}`);
  lines.push(`Predicted stop: ${predictedStop(instance.status, method, bytes, maxDowntimeMs)}`);
  for (const { method: against, blocks, text } of reasons)
    lines.push(`${blocks ? `Against ${against ?? 'every method'}` : 'Note'}: ${text}`);
  return `${lines.join('\n')}\n`;
}

/** Bytes a second of a link of 1 Gbit/s: what is assumed before anything was measured. */
const assumedBandwidth = 1e8;

function predictedStop(
  status: string,
  method: MethodName | undefined,
  bytes: number | undefined,
  maxDowntimeMs: number,
): string {
  if (method === undefined) return '-';
  if (status === 'Stopped') return 'none, it does not run';
  if (method === 'near-live') return `under ${(maxDowntimeMs / 1000).toFixed(1)} s, measured in rounds while it runs`;
  return bytes === undefined
    ? 'as long as the whole transfer takes'
    : `about ${(bytes / assumedBandwidth + 1).toFixed(0)} s at 1 Gbit/s`;
}

function milliseconds(given: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(given);
  if (!match)
    throw new ApiError('invalid-argument', `Invalid --max-downtime "${given}": use a time such as "2s" or "500ms"`);
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };
  return Number(match[1]) * (units[match[2] ?? 's'] ?? 1000);
}
