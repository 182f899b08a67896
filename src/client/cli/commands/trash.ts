import { ApiError } from '#api/error.ts';
import type { TrashItem } from '#api/trash.ts';
import { formatSize } from '#base/units.ts';
import type { Client } from '../../client.ts';
import { command, type CommandSpec, flag, type Format, formatOption, planOption, text } from '../command.ts';
import { shortDate } from '../output/dates.ts';
import { printPlan } from '../output/plan.ts';
import { printList } from '../output/table.ts';

const allProjectsOption = flag('--all-projects', 'What was deleted in all projects');

export const commands: readonly CommandSpec[] = [
  command({
    path: 'trash list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List deleted instances and volumes that can be brought back',
    details:
      'The oldest come first: they are deleted for good when they expire, or when their pool runs short of space.',
    examples: [['trash list', 'Show what was deleted in the current project.']],
    options: { allProjects: allProjectsOption, format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const items = await client.trash.list(options.allProjects ? { 'all-projects': true } : {});
      const project = (item: TrashItem): readonly string[] => (options.allProjects ? [item.project] : []);
      await printList(session, options.format as Format, items, () => ({
        header: [
          ...(options.allProjects ? ['PROJECT'] : []),
          ...['ID', 'TYPE', 'NAME', 'POOL', 'SNAPSHOTS', 'SIZE', 'DELETED', 'BY', 'EXPIRES'],
        ],
        rows: items.map(item => [
          ...project(item),
          item.id,
          item.type.toUpperCase(),
          item.name,
          item.pool,
          String(item.snapshots.length),
          item.size === undefined ? '' : formatSize(item.size),
          shortDate(item.deleted_at),
          item.deleted_by.slice(0, 12),
          shortDate(item.expires_at),
        ]),
      }));
    },
  }),
  command({
    path: 'trash restore',
    usage: '[<remote>:]<trash> [<new name>]',
    summary: 'Bring a deleted instance or volume back',
    details: 'The trash is named by its id, or by the name that it had: then the last one of that name comes back.',
    examples: [
      ['trash restore c1', 'Bring "c1" back with its snapshots.'],
      ['trash restore c1 c1-old', 'Under another name, when there is a new "c1".'],
    ],
    options: { plan: planOption },
    run: async (session, [target = '', newName], { plan }) => {
      const { client, name } = await session.object(target, 'trash');
      const item = await itemNamed(client, name);
      const request = newName === undefined ? {} : { name: newName };
      if (plan) return printPlan(session, client, 'POST', client.trash.path(item.id), { body: request });
      await session.finish(client.trash.restore(item.id, request), `Restoring ${item.name}`);
    },
  }),
  command({
    path: 'trash delete',
    aliases: ['rm'],
    usage: '[<remote>:]<trash> [[<remote>:]<trash>...]',
    summary: 'Delete something in the trash for good',
    examples: [['trash delete c1', 'The last deleted "c1" cannot come back any more.']],
    run: async (session, targets) => {
      for (const target of targets) {
        const { client, name } = await session.object(target, 'trash');
        const { id } = await itemNamed(client, name);
        await session.finish(client.trash.delete(id), `Deleting ${name}`);
      }
    },
  }),
  command({
    path: 'trash empty',
    usage: '[<remote>:]',
    summary: 'Delete all in the trash for good',
    examples: [
      ['trash empty', 'All that was deleted in the current project.'],
      ['trash empty --all-projects --pool default', 'All in the pool "default", so that it can be deleted.'],
    ],
    options: { allProjects: allProjectsOption, pool: text('--pool', 'Only what is in this storage pool') },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const query = { ...(options.allProjects && { 'all-projects': true }), pool: options.pool };
      await session.finish(client.trash.empty(query), 'Emptying the trash');
    },
  }),
];

/** By id, or the last deleted of the name. */
async function itemNamed(client: Client, wanted: string): Promise<TrashItem> {
  const items = await client.trash.list();
  const item = items.find(({ id }) => id === wanted) ?? items.findLast(({ name }) => name === wanted);
  if (item) return item;
  throw new ApiError('not-found', `There is no "${wanted}" in the trash. See "lxd-like trash list"`);
}
