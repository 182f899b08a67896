import { ApiError } from '#api/error.ts';
import type { InstanceFull } from '#api/instance.ts';
import { command, type CommandSpec, flag, type Format, formatOption, text } from '../command.ts';
import { printList } from '../output/table.ts';
import type { Session } from '../session.ts';
import { instanceColumns, needsState, parseColumns } from './list-columns.ts';
import { matcherFor } from './list-filter.ts';

/** LXD's: the location is left out on servers that are in no cluster, as ours are. */
const defaultColumns = 'ns46tSL';
const fastColumns = 'nsacPt';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'list',
    aliases: ['ls'],
    usage: '[<remote>:] [<filter>...]',
    summary: 'List instances',
    details: [
      'A filter is the start of a name, a regular expression on the name, a config item such as user.note=abc (its',
      'namespace may be shortened: u.note=abc), or one of the shorthands type=, status=, architecture=, location=,',
      'ipv4= and ipv6= with values delimited by commas. Instances must satisfy all filters.',
      '',
      'Columns (-c), as letters or config keys:',
      ...Object.entries(instanceColumns).map(([letter, column]) => `  ${letter} - ${column.summary}`),
      '',
      'A config column is [config:|devices:]key[:name][:maxWidth], such as user.note:NOTE:20.',
    ].join('\n'),
    examples: [
      ['list', 'List all instances.'],
      ['list web status=running', 'Running instances whose names begin with "web".'],
      ['list -c ns4,image.os:OS', 'Name, state, IPv4 address and a config key.'],
      ['list --format csv -c ns', 'For scripts.'],
    ],
    options: {
      allProjects: flag('--all-projects', 'Display instances from all projects'),
      columns: text('-c,--columns', 'Columns', defaultColumns),
      fast: flag('--fast', `Fast mode (same as --columns=${fastColumns})`),
      format: formatOption,
    },
    run: async (session, args, options) => {
      if (options.allProjects && session.global.project !== undefined) {
        throw new ApiError('invalid-argument', 'Cannot use "--project" together with "--all-projects"');
      }
      await listInstances(session, args, options);
    },
  }),
];

interface ListOptions {
  readonly allProjects: boolean;
  readonly columns: string;
  readonly fast: boolean;
  readonly format: string;
}

async function listInstances(session: Session, args: readonly string[], options: ListOptions): Promise<void> {
  const [first = ''] = args;
  const hasRemote = /^[A-Za-z0-9][A-Za-z0-9_.-]*:$/.test(first);
  const client = await session.client(hasRemote ? first.slice(0, -1) : undefined);
  const filters = hasRemote ? args.slice(1) : args;
  const isDefault = options.columns === defaultColumns;
  const letters = options.fast && isDefault ? fastColumns : options.columns;
  const prefix = options.allProjects && isDefault ? 'e' : '';
  const columns = parseColumns(prefix + (isDefault ? letters.replace('L', '') : letters));

  const matches = filters.map(matcherFor);
  const structured = options.format === 'json' || options.format === 'yaml';
  const full = structured || needsState(columns) || matches.some(matcher => matcher.needsState);
  const query = options.allProjects ? { 'all-projects': true } : {};
  const found = full
    ? await client.instances.listFull(query)
    : ((await client.instances.list(query)) as readonly InstanceFull[]);
  const shown = found
    .filter(instance => matches.every(matcher => matcher.matches(instance)))
    .sort((a, b) => compare(a.project, b.project) || compare(a.name, b.name));
  await printList(session, options.format as Format, shown, () => ({
    header: columns.map(column => column.title),
    rows: shown.map(instance => columns.map(column => column.value(instance))),
  }));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
