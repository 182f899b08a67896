import { ApiError } from '#api/error.ts';
import { command, type CommandSpec } from '../command.ts';
import type { Session } from '../session.ts';
import { copyOptions, endsOf } from './copy.ts';
import { migrateInstance, migrateOptions } from './migrate.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'move',
    aliases: ['mv'],
    usage: '[<remote>:]<instance>[/<snapshot>] [[<remote>:]<instance>[/<snapshot>]]',
    summary: 'Move or rename instances within or between servers',
    details:
      'Between servers the instance is copied, and deleted at the source when the target has all of it; one that runs moves as "migrate" says.',
    examples: [
      ['move c1 c2', 'Rename an instance.'],
      ['move c1 --storage fast', 'Move it to another storage pool.'],
      ['move c1 office:', 'Move it to another server.'],
    ],
    options: { ...copyOptions, ...migrateOptions },
    run: async (session, [from = '', to = ''], options) => {
      const source = session.namedPath(from);
      const ends = await endsOf(session, from, to, options.targetProject);
      if (ends.between) {
        if (ends.snapshot !== undefined)
          throw new ApiError('invalid-argument', 'Snapshots move with their instance only: copy it to a new instance');
        await migrateInstance(session, from, to, options);
        return;
      }
      if (options.storage === undefined && options.targetProject === undefined) return rename(session, from, to);
      const { transport } = ends.source;
      const { OperationHandle } = await import('../../operation-handle.ts');
      const { operation } = await transport.call('POST', ends.source.instances.path(source.name), {
        body: {
          name: ends.to || source.name,
          migration: true,
          pool: options.storage,
          project: options.targetProject,
          instance_only: options.instanceOnly,
        },
      });
      await session.finish(Promise.resolve(operation && new OperationHandle(transport, operation)), `Moving ${from}`);
    },
  }),
  command({
    path: 'rename',
    usage: '[<remote>:]<instance>[/<snapshot>] <instance>[/<snapshot>]',
    summary: 'Rename instances and snapshots',
    examples: [
      ['rename c1 web', 'Rename an instance that is stopped.'],
      ['rename c1/snap0 c1/before-upgrade', 'Rename a snapshot.'],
    ],
    run: (session, [from = '', to = '']) => rename(session, from, to),
  }),
];

async function rename(session: Session, from: string, to: string): Promise<void> {
  const source = session.namedPath(from);
  const target = session.namedPath(to);
  if (target.remote !== undefined && target.remote !== source.remote)
    throw new ApiError('invalid-argument', 'Only names on one server can change: use "move" to go to another server');
  if (target.name === '') throw new ApiError('invalid-argument', 'Name what it shall be called');
  const client = await session.client(source.remote);
  if (source.rest === undefined) {
    if (target.rest !== undefined)
      throw new ApiError('invalid-argument', `Invalid instance name "${target.name}/${target.rest}"`);
    await session.finish(client.instances.rename(source.name, target.name), `Renaming ${source.name}`);
    return;
  }
  if (target.rest !== undefined && target.name !== source.name) {
    throw new ApiError('invalid-argument', `Cannot move a snapshot of "${source.name}" to "${target.name}"`);
  }
  await session.finish(
    client.instances.snapshots(source.name).rename(source.rest, target.rest ?? target.name),
    'Renaming',
  );
}
