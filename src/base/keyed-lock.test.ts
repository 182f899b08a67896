import { expect, test } from 'vitest';
import { KeyedLock } from './keyed-lock.ts';

test('tryHold() refuses a key that is held and says what its holder does', () => {
  const locks = new KeyedLock();
  const held = locks.tryHold('instance/c1', 'start');
  expect(locks.tryHold('instance/c1', 'stop')).toBeUndefined();
  expect(locks.holder('instance/c1')).toBe('start');
  held?.release();
  expect(locks.holder('instance/c1')).toBeUndefined();
});

test('hold() grants in the order of asking', async () => {
  const locks = new KeyedLock();
  const order: number[] = [];
  const work = async (number: number): Promise<void> => {
    using _lock = await locks.hold('key', String(number));
    await new Promise(resolve => setTimeout(resolve, 2));
    order.push(number);
  };
  await Promise.all([work(1), work(2), work(3)]);
  expect(order).toEqual([1, 2, 3]);
});

test('a lock that is released twice lets only one waiter in', async () => {
  const locks = new KeyedLock();
  const first = await locks.hold('key', 'first');
  const second = locks.hold('key', 'second');
  const third = locks.hold('key', 'third');
  first.release();
  first.release();
  await second;
  expect(locks.holder('key')).toBe('second');
  (await second).release();
  await third;
  expect(locks.holder('key')).toBe('third');
});

test('a waiter that is aborted leaves the queue', async () => {
  const locks = new KeyedLock();
  const first = await locks.hold('key', 'first');
  const abort = new AbortController();
  const waiting = locks.hold('key', 'second', abort.signal);
  abort.abort(new Error('cancelled'));
  await expect(waiting).rejects.toThrow('cancelled');
  first.release();
  expect(locks.holder('key')).toBeUndefined();
});
