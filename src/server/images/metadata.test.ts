import { describe, expect, test } from 'vitest';
import { parseMetadata } from './metadata.ts';

const minimal = 'architecture: x86_64\n';

describe('parseMetadata()', () => {
  test('reads what images say of themselves', () => {
    const metadata = parseMetadata(`
architecture: amd64
creation_date: 1700000000
expiry_date: 1800000000
properties: { os: Debian, release: bookworm, serial: 20240101, empty: null }
templates:
  /etc/hostname: { when: [create, copy, later], template: hostname.tpl }
  etc//hosts: { when: [start], create_only: true, template: hosts.tpl, properties: { a: b } }
unknown: [1, 2]
`);
    expect({ ...metadata, properties: { ...metadata.properties }, templates: [...metadata.templates.keys()] }).toEqual({
      architecture: 'x86_64',
      creationDate: 1_700_000_000,
      expiryDate: 1_800_000_000,
      properties: { os: 'Debian', release: 'bookworm', serial: '20240101', empty: '' },
      templates: ['etc/hostname', 'etc/hosts'],
    });
    expect(metadata.templates.get('etc/hostname')?.when).toEqual(['create', 'copy']);
    expect(metadata.templates.get('etc/hosts')?.createOnly).toBe(true);
  });

  test.each([
    ['no map', '- 1'],
    ['nothing', ''],
    ['an unknown architecture', 'architecture: pdp11'],
    ['a wrong date', `${minimal}creation_date: soon`],
    ['a huge date', `${minimal}creation_date: 99999999999999`],
    ['a property that is a map', `${minimal}properties: { a: { b: c } }`],
    ['a template with a folder', `${minimal}templates: { /a: { template: ../../etc/shadow } }`],
    ['a template named ".."', `${minimal}templates: { /a: { template: .. } }`],
    ['a template that climbs', `${minimal}templates: { /../etc/passwd: { template: a } }`],
    ['a template without a path', `${minimal}templates: { /: { template: a } }`],
    ['templates that are null inside', `${minimal}templates: { /a: null }`],
    ['broken YAML', 'a: [b'],
  ])('refuses %s', (_what, text) => {
    expect(() => parseMetadata(text)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });

  test('refuses aliases that multiply', () => {
    const levels = Array.from({ length: 12 }, (_, index) => {
      const inner = index === 0 ? '"lol"' : `*a${String(index - 1)}`;
      return `a${String(index)}: &a${String(index)} [${Array(10).fill(inner).join(', ')}]`;
    });
    const started = performance.now();
    expect(() => parseMetadata(`${minimal}${levels.join('\n')}`)).toThrow(/Invalid/);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test('refuses what is nested too deeply or too large', () => {
    expect(() => parseMetadata(`${minimal}x: ${'['.repeat(100_000)}`)).toThrow(/Invalid/);
    expect(() => parseMetadata(`${minimal}x: "${'y'.repeat(2 ** 20)}"`)).toThrow(/1 MiB/);
  });

  test('takes names of built-in members as names', () => {
    const { properties } = parseMetadata(`${minimal}properties: { __proto__: a, constructor: b }`);
    expect(Object.entries(properties)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
  });
});
