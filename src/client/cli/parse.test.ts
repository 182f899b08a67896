import { describe, expect, test } from 'vitest';
import { argumentRange, command, flag, integer, list, text } from './command.ts';
import { checkArguments, normalise, parseWith } from './parse.ts';

const spec = command({
  path: 'try',
  usage: '[<remote>:]<instance> [<name>]',
  summary: '',
  examples: [],
  options: {
    all: flag('--all', ''),
    force: flag('-f,--force', ''),
    timeout: integer('-t,--timeout', '', -1),
    format: text('-o,--format', '', 'table', ['table', 'csv']),
    config: list('-c,--config', ''),
    console: { ...text('--console', ''), implied: 'console' } as const,
  },
  run: async () => undefined,
});
const exec = { ...spec, path: 'exec', passThrough: true };

function parse(...args: readonly string[]): { args: readonly string[]; options: Record<string, unknown> } {
  const { args: positionals, options } = parseWith(spec, normalise(spec, args));
  return { args: positionals, options };
}

const untouched = { all: false, force: false, timeout: -1, format: 'table', config: [], console: undefined };

describe('options', () => {
  test.each<readonly [string[], object]>([
    [['c1'], {}],
    [['-f', 'c1'], { force: true }],
    [['c1', '-ft', '5'], { force: true, timeout: 5 }],
    [['c1', '-ocsv'], { format: 'csv' }],
    [['c1', '--format=csv', '--force=false'], { format: 'csv' }],
    [['c1', '--timeout', '-1'], { timeout: -1 }],
    [['c1', '-c', 'a=b', '--config=c=d\ne'], { config: ['a=b', 'c=d\ne'] }],
    [['--console', 'c1'], { console: 'console' }],
  ])('%j', (args, changed) => {
    expect(parse(...args)).toEqual({ args: ['c1'], options: { ...untouched, ...changed } });
  });

  test('a single dash and what follows "--" are arguments', () => {
    expect(parse('-', '--', '--force').args).toEqual(['-', '--force']);
  });

  test.each([
    [['--forse'], 'Unknown flag "--forse" (did you mean "--force"?). See "lxd-like try --help"'],
    [['-x'], 'Unknown flag "-x". See "lxd-like try --help"'],
    [['-o'], 'Missing value for "-o"'],
    [['--format', 'xml'], 'Invalid value "xml" for "--format": must be one of table, csv'],
    [['--timeout', 'soon'], 'Invalid value "soon" for "-t,--timeout": must be a whole number'],
  ])('%j is refused', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });
});

test('what follows the instance of exec belongs to its program', () => {
  const parsed = parseWith(exec, normalise(exec, ['c1', '--force', 'ls', '-l', '--all', '--', 'x']));
  expect([parsed.args, parsed.options]).toEqual([
    ['c1', 'ls', '-l', '--all', '--', 'x'],
    { ...untouched, force: true },
  ]);
});

test.each([
  ['', 0, 0],
  ['<a>', 1, 1],
  ['[<remote>:]', 0, 1],
  ['[<remote>:]<pool> <volume>', 2, 2],
  ['[<remote>:]<API path>', 1, 1],
  ['[<remote>:]<instance> [<snapshot name>]', 1, 2],
  ['[<remote>:]<instance>[/<snapshot>] [[<remote>:]<instance>[/<snapshot>]...]', 1, Infinity],
  ['[<remote>:] [<filter>...]', 0, Infinity],
  ['[<remote>:][<instance>] <key>', 1, 2],
  ['[<remote>:]<pool> <driver> [key=value...]', 2, Infinity],
  ['[<remote>:]<instance> [flags] [--] <command line>...', 2, Infinity],
])('argumentRange(%j)', (usage, least, most) => {
  expect(argumentRange(usage)).toEqual({ least, most });
});

test('too few arguments are refused with the usage', () => {
  expect(() => checkArguments(spec, [])).toThrow('use "lxd-like try [<remote>:]<instance> [<name>]"');
});
