import type { InstanceChange, UndoPlan, UndoPost } from '#api/undo.ts';
import { OperationHandle } from '../../operation-handle.ts';
import { command, type CommandSpec, type Format, formatOption, planOption } from '../command.ts';
import { shortDate } from '../output/dates.ts';
import { renderPlan } from '../output/plan.ts';
import { printList } from '../output/table.ts';

const words: Readonly<Record<InstanceChange['action'], string>> = {
  update: 'configured',
  restore: 'restored',
  return: 'brought back',
};

export const commands: readonly CommandSpec[] = [
  command({
    path: 'undo',
    usage: '[<remote>:][<instance>]',
    summary: 'Turn the last change back: a deletion, a restore, or a change of the configuration',
    details:
      'Without a name the last change in the project is meant. An undo is a change itself, so that the next one brings back what it undid. A name may also be that of a deleted volume.',
    examples: [
      ['undo c1 --plan', 'Say what would be undone.'],
      ['undo c1', 'Bring "c1" back, or its files or its configuration as they were.'],
      ['undo', 'Turn back what was done last.'],
    ],
    options: { plan: planOption },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.at(target);
      const body: UndoPost = name === '' ? {} : { name };
      const { metadata } = await client.transport.call<UndoPlan>('POST', '/1.0/undo', { body, query: { plan: 1 } });
      const { summary, change, plan } = metadata;
      session.out(`${options.plan ? 'Would undo' : 'Undoing'} ${summary}\n${renderPlan(plan)}`);
      if (options.plan) return;
      const { operation } = await client.transport.call('POST', '/1.0/undo', { body: { ...body, change } });
      await session.finish(
        Promise.resolve(operation && new OperationHandle(client.transport, operation)),
        `Undoing ${summary}`,
      );
    },
  }),
  command({
    path: 'history',
    usage: '[<remote>:]<instance>',
    summary: 'Show the last changes of an instance, newest first',
    details: 'The first is the one that "lxd-like undo" turns back.',
    examples: [['history c1', 'Who changed what of "c1", and when.']],
    options: { format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client, name } = await session.object(target, 'instance');
      const url = `${client.instances.path(name)}/changes`;
      const { metadata } = await client.transport.call<readonly InstanceChange[]>('GET', url);
      await printList(session, options.format as Format, metadata, () => ({
        header: ['DATE', 'BY', 'ACTION', 'CHANGED'],
        rows: metadata.map(({ changed_at, changed_by, action, changed }) => [
          shortDate(changed_at),
          changed_by.slice(0, 12),
          words[action],
          changed.join(', '),
        ]),
      }));
    },
  }),
];
