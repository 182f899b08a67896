import { expect, test } from 'vitest';
import { instanceNameProblem, interfaceNameProblem, objectNameProblem, snapshotNameProblem } from './names.ts';

const neverAName = ['', '.', '..', 'a/b', '../x', 'a\0b', 'a\nb', '-x', 'a'.repeat(256)];

test.each(neverAName)('%j is no name on any door', name => {
  expect([
    instanceNameProblem(name),
    snapshotNameProblem(name),
    objectNameProblem(name),
    interfaceNameProblem(name),
  ]).not.toContain(undefined);
});

test.each(['c1', 'C', 'web-01', 'a'.repeat(63)])('%s is an instance name', name => {
  expect(instanceNameProblem(name)).toBeUndefined();
});

test.each(['1c', '123', 'a_b', 'a.b', 'c1-', 'ü', 'a b', 'a'.repeat(64)])('%s is no instance name', name => {
  expect(instanceNameProblem(name)).toBeDefined();
});

test.each(['snap0', 'before_upgrade', '2026-11-24T10:00:00Z', 'ü'])('%s is a snapshot name', name => {
  expect(snapshotNameProblem(name)).toBeUndefined();
});

test.each(['lxdlikebr0', 'br.10', 'en_p0'])('%s is an interface name', name => {
  expect(interfaceNameProblem(name)).toBeUndefined();
});

test.each(['a', 'sixteen-letters-', 'a:b', 'a b'])('%s is no interface name', name => {
  expect(interfaceNameProblem(name)).toBeDefined();
});
