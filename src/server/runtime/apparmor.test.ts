import { describe, expect, test } from 'vitest';
import { renderProfile } from './apparmor.ts';

const idmap = { hostBase: 1_000_000, size: 65_536 };

describe('renderProfile()', () => {
  test('names the profile and lets it signal and trace only itself', () => {
    const text = renderProfile('lxd-like-c1', { idmap });
    expect(text).toMatch(/^profile "lxd-like-c1" flags=/);
    expect(text).toContain('ptrace peer="lxd-like-c1",');
    expect(text).not.toContain('/proc/sys/kernel');
    expect(text.trimEnd().endsWith('}')).toBe(true);
  });

  test('without an id map, what belongs to the host is denied', () => {
    const text = renderProfile('lxd-like-c1', { idmap: undefined });
    expect(text).toContain('deny mount fstype=debugfs,');
    expect(text).toContain('core_pattern');
  });

  test("the user's own lines come last", () => {
    const text = renderProfile('lxd-like-c1', { idmap, rawApparmor: 'deny /secret rw,\n deny /other rw,' });
    expect(text).toMatch(/\n {2}deny \/secret rw,\n {2}deny \/other rw,\n\}\n$/);
  });

  test('a name that would end the quotes is refused', () => {
    expect(() => renderProfile('a" {}', { idmap })).toThrow('cannot be the name');
  });
});
