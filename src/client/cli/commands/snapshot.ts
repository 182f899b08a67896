import { zeroTime } from '#api/common.ts';
import { ApiError } from '#api/error.ts';
import { diffCommands } from './snapshot-diff.ts';
import { command, type CommandSpec, flag, noSnapshotOption } from '../command.ts';

export const commands: readonly CommandSpec[] = [
  ...diffCommands,
  command({
    path: 'snapshot',
    usage: '[<remote>:]<instance> [<snapshot name>]',
    summary: 'Create instance snapshots',
    examples: [
      ['snapshot c1 snap0', 'Create a snapshot of "c1" called "snap0".'],
      ['snapshot c1 busy --stateful', 'The same with its processes, which go on.'],
      ['snapshot c1 nightly --reuse', 'Replace the snapshot "nightly".'],
    ],
    options: {
      noExpiry: flag('--no-expiry', 'Ignore any configured auto-expiry for the instance'),
      reuse: flag('--reuse', 'If the snapshot name already exists, delete and create a new one'),
      stateful: flag('--stateful', "Whether or not to snapshot the instance's running state"),
    },
    run: async (session, [target = '', snapshot = ''], options) => {
      const { client, name } = await session.object(target, 'instance');
      const snapshots = client.instances.snapshots(name);
      if (options.reuse && snapshot !== '' && (await snapshots.find(snapshot))) {
        await session.finish(snapshots.delete(snapshot), `Deleting ${name}/${snapshot}`);
      }
      await session.finish(
        snapshots.create({
          name: snapshot,
          stateful: options.stateful,
          ...(options.noExpiry ? { expires_at: zeroTime } : {}),
        }),
        `Creating a snapshot of ${name}`,
      );
    },
  }),
  command({
    path: 'restore',
    usage: '[<remote>:]<instance> <snapshot>',
    summary: 'Restore instances from snapshots',
    details:
      'What is there now is kept as snapshot "before-restoreN" for a week, or as long as the server\'s undo.expiry says, until the next restore.',
    examples: [
      ['restore c1 snap0', 'Bring the files and the config of "c1" back to "snap0".'],
      ['restore c1 before-restore0', 'Undo that.'],
      ['restore c1 busy --stateful', 'Bring back the processes that ran then as well.'],
    ],
    options: {
      noSnapshot: noSnapshotOption,
      stateful: flag('--stateful', "Whether or not to restore the instance's running state from the snapshot"),
    },
    run: async (session, [target = '', given = ''], options) => {
      const { client, name } = await session.object(target, 'instance');
      const snapshot = given.includes('/') ? (given.split('/').pop() ?? '') : given;
      if (!(await client.instances.snapshots(name).find(snapshot))) {
        throw new ApiError(
          'not-found',
          `Snapshot "${snapshot}" of instance "${name}" not found. See "lxd-like info ${name}"`,
        );
      }
      await session.finish(
        client.instances.replace(name, { restore: `${name}/${snapshot}`, stateful: options.stateful }, undefined, {
          undoable: options.noSnapshot ? 0 : 1,
        }),
        `Restoring ${name}`,
      );
    },
  }),
];
