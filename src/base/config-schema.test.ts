import { expect, test } from 'vitest';
import { changedKeys, defineKeys, effective, effectiveBoolean, ruleOf, valueProblem } from './config-schema.ts';

const keys = defineKeys({
  'boot.autostart': { type: 'boolean', summary: 'Start with the daemon', default: 'false' },
  'limits.memory': { type: 'size', summary: 'Memory' },
  'limits.processes': { type: 'integer', summary: 'Processes', min: 1 },
  'user.*': { type: 'text', summary: 'Free' },
  'user.network.*': { type: 'string', summary: 'Free, one line' },
  mode: { type: 'enum', summary: 'Mode', values: ['a', 'b'] },
});

test.each([
  ['boot.autostart', 'yes', undefined],
  ['boot.autostart', 'maybe', 'must be true or false'],
  ['limits.memory', '1GiB', undefined],
  ['limits.memory', '-1GiB', 'must be a size such as 512MiB or 10GB'],
  ['limits.processes', '0', 'must be at least 1'],
  ['limits.processes', '1e3', 'must be a whole number'],
  ['mode', 'c', 'must be one of a, b'],
  ['mode', '', undefined],
  ['mode', 'a\n', 'must not hold line breaks or control characters'],
  ['user.text', 'two\nlines', undefined],
  ['user.text', 'nul\0', 'must not hold NUL'],
  ['user.network.x', 'two\nlines', 'must not hold line breaks or control characters'],
  ['user.', 'x', 'is not a known key'],
  ['user.*', 'x', undefined],
  ['unknown', 'x', 'is not a known key'],
  ['__proto__', 'x', 'is not a known key'],
  ['constructor', 'x', 'is not a known key'],
  ['user.a\nb', 'x', 'is not a valid key'],
])('%s=%j: %s', (key, value, problem) => {
  expect(valueProblem(keys, key, value)).toBe(problem);
});

test('the longest prefix rules a key', () => {
  expect(ruleOf(keys, 'user.network.config')?.summary).toBe('Free, one line');
  expect(ruleOf(keys, 'user.data')?.summary).toBe('Free');
});

test('a key that is not set, or empty, has its default', () => {
  expect(effective(keys, {}, 'boot.autostart')).toBe('false');
  expect(effective(keys, { 'boot.autostart': '' }, 'boot.autostart')).toBe('false');
  expect(effectiveBoolean(keys, { 'boot.autostart': 'on' }, 'boot.autostart')).toBe(true);
});

test('changedKeys() names what was added, changed and removed', () => {
  expect(changedKeys({ a: '1', b: '2', c: '3', e: '' }, { b: '2', c: '4', d: '5' })).toEqual(['a', 'c', 'd']);
});

test('a word in the middle of a key is free, but for dots', () => {
  const keys = defineKeys({
    'tunnel.*.id': { type: 'integer', summary: '' },
    'tunnel.*.name': { type: 'string', summary: '' },
    'tunnel.a.id': { type: 'boolean', summary: '' },
  });
  expect(ruleOf(keys, 'tunnel.b.id')?.type).toBe('integer');
  expect(ruleOf(keys, 'tunnel.a.id')?.type).toBe('boolean');
  for (const key of ['tunnel..id', 'tunnel.id', 'tunnel.b.c.id', 'tunnel.b.port', 'tunnel.*.id.x']) {
    expect(ruleOf(keys, key)).toBeUndefined();
  }
});
