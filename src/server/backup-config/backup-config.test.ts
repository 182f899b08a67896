import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ApiError } from '#api/error.ts';
import { parseBackupConfig, parseBackupIndex } from './parse-backup-config.ts';
import { renderBackupConfig, renderBackupIndex } from './render-backup-config.ts';
import { renderYaml } from './render-yaml.ts';

/** As a stock server writes it, shortened. */
const stock = `name: c1
backend: btrfs
pool: bt
snapshots:
- s0
optimized: false
optimized_header: false
type: container
config:
  container:
    architecture: x86_64
    config:
      user.foo: 'a: b'
      volatile.idmap.base: "0"
      volatile.last_state.idmap: '[]'
    devices:
      root:
        path: /
        pool: bt
        size: 500MiB
        type: disk
    ephemeral: false
    profiles:
    - default
    stateful: false
    description: ""
    created_at: 2026-11-25T18:56:45.616239611Z
    name: c1
    status: Stopped
    status_code: 102
    last_used_at: 1970-01-01T00:00:00Z
    location: none
    type: container
    project: default
  snapshots:
  - expires_at: 0001-01-01T00:00:00Z
    architecture: x86_64
    config: {}
    created_at: 2026-11-25T18:56:45.832651193Z
    devices: {}
    ephemeral: false
    name: s0
    profiles: []
    stateful: false
    size: -1
  pool:
    config:
      size: 1GiB
    description: ""
    name: bt
    driver: btrfs
    used_by: []
    status: Created
  profiles: []
  volume: null
`;

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (ApiError.is(error, 'invalid-argument')) return error.message;
    throw error;
  }
  throw new Error('It was accepted');
}

describe('an index of a stock server', () => {
  test('is read as it is', () => {
    const index = parseBackupIndex(stock);
    expect(index).toMatchObject({ name: 'c1', backend: 'btrfs', pool: 'bt', snapshots: ['s0'], optimized: false });
    expect(index.config?.container).toMatchObject({
      name: 'c1',
      config: { 'user.foo': 'a: b', 'volatile.idmap.base': '0', 'volatile.last_state.idmap': '[]' },
      devices: { root: { path: '/', pool: 'bt', size: '500MiB', type: 'disk' } },
      profiles: ['default'],
      created_at: '2026-11-25T18:56:45.616Z',
    });
    expect(index.config?.snapshots?.[0]).toMatchObject({ name: 's0', expires_at: '0001-01-01T00:00:00Z' });
    expect(index.config?.volume).toBeUndefined();
  });

  test('survives being written and read again', () => {
    const index = parseBackupIndex(stock);
    expect(parseBackupIndex(renderBackupIndex(index))).toEqual(index);
    expect(parseBackupConfig(renderBackupConfig(index.config ?? {}))).toEqual(index.config);
  });

  test('becomes YAML that others read alike', () => {
    expect(parse(renderBackupIndex(parseBackupIndex(stock)), { version: '1.1' })).toMatchObject({
      optimized: false,
      config: { container: { config: { 'volatile.idmap.base': '0' }, status_code: 102 }, pool: { used_by: [] } },
    });
  });
});

test('text that looks like something else is quoted', () => {
  const values = [
    '',
    'no',
    'Yes',
    '1',
    '1.10',
    '0x10',
    '~',
    'null',
    'a: b',
    '- x',
    '#x',
    'x\ny',
    ' x',
    'x ',
    '"',
    '{',
    '*a',
  ];
  const rendered = renderYaml({ values, 'a: b': 'x', empty: {}, list: [], nested: [{ a: 'on', b: ['x'] }] });
  expect(parse(rendered, { version: '1.1' })).toEqual({
    values,
    'a: b': 'x',
    empty: {},
    list: [],
    nested: [{ a: 'on', b: ['x'] }],
  });
});

describe('a hostile index', () => {
  test.each([
    ['a climbing name', stock.replace('name: c1', 'name: ../../x')],
    ['a name with a slash', stock.replace('name: c1', 'name: a/b')],
    ['a climbing snapshot', stock.replace('- s0', '- ..')],
    ['a climbing snapshot in the config', stock.replace('name: s0', 'name: ..')],
    ['a pool with a slash', stock.replace('pool: bt', 'pool: a/b')],
    ['no name', stock.replace('name: c1\n', '')],
    ['a snapshot that is null', stock.replace(/ {2}snapshots:\n[^]*? {2}pool:/, '  snapshots: [null]\n  pool:')],
    ['a config that is a list', stock.replace("user.foo: 'a: b'", 'user.foo: [1]')],
    ['devices that are text', stock.replace(/devices:\n {6}root:\n( {8}.*\n)+/, 'devices: x\n')],
    ['a virtual machine', stock.replace('type: container', 'type: virtual-machine')],
    ['a boolean that is none', stock.replace('optimized: false', 'optimized: maybe')],
    ['a time that is none', stock.replace('2026-11-25T18:56:45.832651193Z', 'soon')],
    ['aliases', `a: &a [x]\nb: [*a, *a]\n${stock}`],
    [
      'aliases that multiply',
      `${Array.from({ length: 12 }, (_, i) => `a${String(i)}: &a${String(i)} [${i ? `*a${String(i - 1)},*a${String(i - 1)}` : 'x'}]`).join('\n')}\n${stock}`,
    ],
    ['deep nesting', `${stock}x: ${'['.repeat(20_000)}`],
    ['no YAML', '\u0000\u0001: ['],
    ['nothing', ''],
    ['a list', '- x'],
    ['a megabyte too much', `${stock}x: ${'y'.repeat(5 * 2 ** 20)}`],
  ])('with %s is refused', (_, text) => {
    expect(refusal(() => parseBackupIndex(text))).toMatch(/^Invalid /);
  });

  test('cannot reach the prototype', () => {
    const config = parseBackupConfig('container:\n  name: c1\n  config:\n    __proto__: x\n    constructor: y\n');
    expect(Object.entries(config.container?.config ?? {})).toContainEqual(['constructor', 'y']);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});
