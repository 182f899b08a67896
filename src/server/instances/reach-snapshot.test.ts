import { expect, test } from 'vitest';
import { viewOf } from './reach-snapshot.ts';

const idmap = { hostBase: 1_000_000, size: 65_536 };
const isolated = { hostBase: 1_065_536, size: 65_536 };

test('ids that are the own ones on disk are shown where the instance has its ids', () => {
  expect(viewOf(0, idmap, true)).toEqual({ idmap, hostIds: false, sharesIds: true });
  expect(viewOf(0, undefined, true)).toEqual({ idmap: undefined, hostIds: false, sharesIds: true });
});

test('ids of the host on disk are shown as they were, and shared only with an instance that still has them', () => {
  expect(viewOf(1_000_000, idmap, false)).toEqual({ idmap, hostIds: true, sharesIds: true });
  expect(viewOf(1_000_000, isolated, false)).toEqual({ idmap, hostIds: true, sharesIds: false });
  expect(viewOf(1_000_000, undefined, false)).toMatchObject({ idmap, sharesIds: false });
});

test('own ids on disk that no mount can shift are read as they are', () => {
  expect(viewOf(0, idmap, false)).toEqual({ idmap: undefined, hostIds: false, sharesIds: false });
});
