import { expect, test } from 'vitest';
import { parseFile } from './file-target.ts';

test.each([
  ['c1/etc/hosts', { instance: 'c1', snapshot: undefined, path: '/etc/hosts' }],
  ['c1//etc/', { instance: 'c1', snapshot: undefined, path: '/etc/' }],
  ['c1/', { instance: 'c1', snapshot: undefined, path: '/' }],
  ['c1/home/me@work:/notes', { instance: 'c1', snapshot: undefined, path: '/home/me@work:/notes' }],
  ['c1@snap0:/etc/hosts', { instance: 'c1', snapshot: 'snap0', path: '/etc/hosts' }],
  ['c1@2026-08-01T10:20:/', { instance: 'c1', snapshot: '2026-08-01T10:20', path: '/' }],
  ['c1@a@b:/x', { instance: 'c1', snapshot: 'a@b', path: '/x' }],
  // no snapshot is meant: the server then knows no instance of such a name
  ['c1@snap0/etc', { instance: 'c1@snap0', snapshot: undefined, path: '/etc' }],
  ['c1', undefined],
  ['c1@snap0:', undefined],
  ['/etc', undefined],
])('%s', (text, expected) => {
  expect(parseFile(text)).toEqual(expected);
});
