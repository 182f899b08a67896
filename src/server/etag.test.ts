import { expect, test } from 'vitest';
import { ApiError } from '#api/error.ts';
import { assertEtag, etagOf } from './etag.ts';

test('equal objects have equal digests whatever the order of their keys', () => {
  expect(etagOf({ a: 1, b: { c: 2, d: [1, 2] } })).toBe(etagOf({ b: { d: [1, 2], c: 2 }, a: 1 }));
  expect(etagOf([1, 2])).not.toBe(etagOf([2, 1]));
});

test.each([undefined, '', '*'])('If-Match %j asks for nothing', ifMatch => {
  expect(() => assertEtag(ifMatch, {})).not.toThrow();
});

test('quotes and the weak mark do not matter', () => {
  const etag = etagOf({ a: 1 });
  for (const form of [etag, `"${etag}"`, `W/"${etag}"`]) expect(() => assertEtag(form, { a: 1 })).not.toThrow();
});

test('another state is refused with 412 that names both digests', () => {
  try {
    assertEtag('"old"', { a: 1 });
    expect.unreachable();
  } catch (error) {
    expect(ApiError.is(error, 'etag-mismatch') && [error.status, error.message]).toEqual([
      412,
      `The object has changed since it was read: its ETag is "${etagOf({ a: 1 })}", not "old"`,
    ]);
  }
});
