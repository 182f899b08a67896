import { ApiError } from '#api/error.ts';
import type { InstanceAction, InstanceStatePut } from '#api/instance.ts';
import { command, type CommandSpec, flag, integer, planOption, text } from '../command.ts';
import { printPlan } from '../output/plan.ts';
import type { Session } from '../session.ts';

const consoleOption = { ...text('--console', 'Immediately attach to the console'), implied: 'console' } as const;
const usage = '[[<remote>:]<instance>...]';
const allOption = flag('--all', 'Run against all instances');
const forceOption = flag('-f,--force', 'Force the instance to shut down');
const timeoutOption = integer('--timeout', 'Time to wait for the instance before killing it', -1);

interface PowerOptions {
  readonly all: boolean;
  readonly plan?: boolean;
  readonly console?: string | undefined;
}

export const commands: readonly CommandSpec[] = [
  command({
    path: 'start',
    usage,
    summary: 'Start instances',
    examples: [
      ['start c1 c2', 'Start two instances.'],
      ['start c1 --plan', 'Show what starting "c1" would do.'],
      ['start c1 --stateless', 'Start "c1" afresh, without the state that "stop --stateful" has kept.'],
    ],
    options: {
      all: allOption,
      console: consoleOption,
      stateless: flag('--stateless', 'Ignore the instance state'),
      plan: planOption,
    },
    run: (session, targets, options) =>
      change(session, targets, options, {
        action: 'start',
        timeout: -1,
        ...(options.stateless ? { stateful: false } : {}),
      }),
  }),
  command({
    path: 'stop',
    usage,
    summary: 'Stop instances',
    examples: [
      ['stop c1', 'Ask "c1" to shut down and wait for it.'],
      ['stop c1 --force', 'End it at once.'],
      ['stop c1 --stateful', 'Keep its processes with their memory and connections for the next start.'],
      ['stop --all --timeout 30', 'Stop all instances, by force after 30 seconds.'],
    ],
    options: {
      all: allOption,
      console: consoleOption,
      force: forceOption,
      stateful: flag('--stateful', 'Store the instance state'),
      timeout: timeoutOption,
    },
    run: (session, targets, options) =>
      change(session, targets, options, {
        action: 'stop',
        timeout: options.timeout,
        force: options.force,
        ...(options.stateful ? { stateful: true } : {}),
      }),
  }),
  command({
    path: 'restart',
    usage,
    summary: 'Restart instances',
    details: 'The opposite of "lxd-like pause" is "lxd-like start".',
    examples: [
      ['restart c1', 'Shut "c1" down and start it again.'],
      ['restart c1 --force', 'The same without asking the instance.'],
    ],
    options: { all: allOption, console: consoleOption, force: forceOption, timeout: timeoutOption },
    run: (session, targets, options) =>
      change(session, targets, options, { action: 'restart', timeout: options.timeout, force: options.force }),
  }),
  command({
    path: 'pause',
    usage,
    summary: 'Pause instances',
    examples: [['pause c1', 'Freeze all processes of "c1"; "start" lets them go on.']],
    options: { all: allOption },
    run: (session, targets, options) => change(session, targets, options, { action: 'freeze', timeout: -1 }),
  }),
];

const titles: Readonly<Record<InstanceAction, string>> = {
  start: 'Starting',
  stop: 'Stopping',
  restart: 'Restarting',
  freeze: 'Pausing',
  unfreeze: 'Resuming',
};

async function change(
  session: Session,
  targets: readonly string[],
  options: PowerOptions,
  request: InstanceStatePut,
): Promise<number> {
  if (options.all) return changeAll(session, targets, request);
  if (targets.length === 0) throw new ApiError('invalid-argument', 'Name at least one instance, or use "--all"');
  if (options.console !== undefined && targets.length > 1) {
    throw new ApiError('invalid-argument', 'Cannot attach to the console of several instances');
  }
  const results = await Promise.allSettled(targets.map(target => changeOne(session, target, request, options)));
  const failures = results.flatMap((result, index) =>
    result.status === 'rejected' ? [{ target: targets[index] ?? '', error: result.reason as Error }] : [],
  );
  if (failures.length > 0) throw failureOf(failures, targets.length, request.action);
  if (options.console !== undefined && !options.plan)
    return (await import('./console.ts')).attach(session, targets[0] ?? '');
  return 0;
}

async function changeOne(
  session: Session,
  target: string,
  given: InstanceStatePut,
  options: PowerOptions,
): Promise<void> {
  const { client, name } = await session.object(target, 'instance');
  let request = given;
  if (given.action === 'start' && (await client.instances.get(name)).status === 'Frozen') {
    request = { ...given, action: 'unfreeze' };
  }
  if (options.plan) await printPlan(session, client, 'PUT', `${client.instances.path(name)}/state`, { body: request });
  else await session.finish(client.instances.changeState(name, request), `${titles[request.action]} ${name}`);
}

function failureOf(
  failures: readonly { readonly target: string; readonly error: Error }[],
  asked: number,
  action: InstanceAction,
): Error {
  const [first] = failures;
  const hasLog = action === 'start' && !ApiError.is(first?.error, 'not-found');
  const hint = hasLog ? `. Try "lxd-like info --show-log ${first?.target ?? ''}" for more` : '';
  if (asked === 1 && first) return new Error(`${first.error.message}${hint}`, { cause: first.error });
  const told = failures.map(({ target, error }) => `${target}: ${error.message}`).join('; ');
  return new Error(`Failed for ${String(failures.length)} of ${String(asked)} instances: ${told}`);
}

/** Every instance of the default remote, or of the remotes that are named. */
async function changeAll(session: Session, targets: readonly string[], request: InstanceStatePut): Promise<number> {
  for (const target of targets.length > 0 ? targets : ['']) {
    const { client, name } = await session.at(target);
    if (name !== '')
      throw new ApiError('invalid-argument', `Cannot use "--all" together with the instance name "${name}"`);
    await session.finish(client.instances.changeAllStates(request), `${titles[request.action]} all instances`);
  }
  return 0;
}
