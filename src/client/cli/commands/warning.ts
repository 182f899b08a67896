import { command, type CommandSpec, flag, type Format, formatOption } from '../command.ts';
import { showYaml } from '../object-editing.ts';
import { shortDate } from '../output/dates.ts';
import { printList } from '../output/table.ts';

const sample = '9c3f1c1e-0e2b-4f6d-8a5c-1d2e3f405162';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'warning list',
    aliases: ['ls'],
    usage: '[<remote>:]',
    summary: 'List warnings',
    examples: [['warning list', 'Show warnings that nobody has acknowledged.']],
    options: { all: flag('-a,--all', 'List all warnings'), format: formatOption },
    run: async (session, [target = ''], options) => {
      const { client } = await session.at(target);
      const found = await client.warnings.list();
      const warnings = found.filter(
        warning => options.all || (warning.status !== 'resolved' && warning.status !== 'acknowledged'),
      );
      await printList(session, options.format as Format, warnings, () => ({
        header: ['UUID', 'TYPE', 'STATUS', 'SEVERITY', 'COUNT', 'PROJECT', 'LAST SEEN'],
        rows: warnings.map(warning => [
          warning.uuid,
          warning.type,
          warning.status.toUpperCase(),
          warning.severity.toUpperCase(),
          String(warning.count),
          warning.project,
          shortDate(warning.last_seen_at),
        ]),
      }));
    },
  }),
  command({
    path: 'warning show',
    usage: '[<remote>:]<warning-uuid>',
    summary: 'Show warning',
    examples: [[`warning show ${sample}`, 'Print it as YAML.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'warning');
      await showYaml(session, await client.warnings.get(name));
    },
  }),
  command({
    path: 'warning acknowledge',
    aliases: ['ack'],
    usage: '[<remote>:]<warning-uuid>',
    summary: 'Acknowledge warning',
    examples: [[`warning acknowledge ${sample}`, 'Do not list it again until it comes back.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'warning');
      await client.warnings.replace(name, { status: 'acknowledged' });
    },
  }),
  command({
    path: 'warning delete',
    aliases: ['rm'],
    usage: '[<remote>:]<warning-uuid>',
    summary: 'Delete warning',
    examples: [[`warning delete ${sample}`, 'Forget it.']],
    run: async (session, [target = '']) => {
      const { client, name } = await session.object(target, 'warning');
      await client.warnings.delete(name);
    },
  }),
];
