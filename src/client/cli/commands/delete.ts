import { ApiError } from '#api/error.ts';
import { command, type CommandSpec, flag, noTrashOption, planOption } from '../command.ts';
import { printPlan } from '../output/plan.ts';
import type { Session } from '../session.ts';

interface DeleteOptions {
  readonly force: boolean;
  readonly plan: boolean;
  readonly noTrash: boolean;
}

export const commands: readonly CommandSpec[] = [
  command({
    path: 'delete',
    aliases: ['rm'],
    usage: '[<remote>:]<instance>[/<snapshot>] [[<remote>:]<instance>[/<snapshot>]...]',
    summary: 'Delete instances and snapshots',
    details:
      "A deleted instance stays in the trash for a week, or as long as the server's undo.expiry says; snapshots and ephemeral instances do not.",
    examples: [
      ['delete c1', 'Delete the stopped instance "c1" with its snapshots.'],
      ['delete c1 --force', 'Stop it first.'],
      ['delete c1 --no-trash', 'Delete it for good.'],
      ['delete c1/snap0', 'Delete one snapshot.'],
    ],
    options: {
      force: flag('-f,--force', 'Force the removal of running instances'),
      interactive: flag('-i,--interactive', 'Require user confirmation'),
      plan: planOption,
      noTrash: noTrashOption,
    },
    run: async (session, targets, options) => {
      for (const target of targets) {
        if (options.interactive && !/^y(es)?$/i.test(await session.ask(`Remove ${target} (yes/no): `))) {
          throw new ApiError('canceled', 'User aborted delete operation');
        }
        await remove(session, target, options);
      }
    },
  }),
];

async function remove(session: Session, target: string, options: DeleteOptions): Promise<void> {
  const { remote, name, rest: snapshot } = session.namedPath(target);
  const client = await session.client(remote);
  const collection = snapshot === undefined ? client.instances : client.instances.snapshots(name);
  const object = snapshot ?? name;
  if (object === '') throw new ApiError('invalid-argument', `Missing a name in "${target}"`);
  if (options.plan && snapshot !== undefined) {
    throw new ApiError('unsupported', 'Cannot plan the deletion of a snapshot: only of an instance');
  }
  const query = snapshot === undefined ? { undoable: options.noTrash ? 0 : 1 } : {};
  if (options.plan) return printPlan(session, client, 'DELETE', collection.path(object), { query });
  if (snapshot === undefined && !(await stopBefore(session, target, options.force))) return;
  const done = await session.finish(collection.delete(object, query), `Deleting ${object}`);
  if (done?.metadata?.['trash'] !== undefined && session.showsProgress)
    session.note(`Instance ${object} is in the trash: "lxd-like trash restore ${target}" brings it back`);
}

/** Stops a running instance when forced; false when stopping has deleted it already, as it does ephemeral ones. */
async function stopBefore(session: Session, target: string, force: boolean): Promise<boolean> {
  const { client, name } = await session.object(target, 'instance');
  const instance = await client.instances.get(name);
  if (instance.status === 'Stopped' || instance.status === 'Error') return true;
  if (!force) {
    throw new ApiError(
      'failed-precondition',
      `Cannot delete instance "${name}" while it is running: stop it first, or use "lxd-like delete --force ${target}"`,
    );
  }
  await session.finish(
    client.instances.changeState(name, { action: 'stop', timeout: -1, force: true }),
    `Stopping ${name}`,
  );
  return !instance.ephemeral;
}
