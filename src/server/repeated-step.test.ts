import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLog } from '#base/log.ts';
import { RepeatedStep } from './repeated-step.ts';

const lines: string[] = [];
const log = createLog((_level, message) => lines.push(message));

beforeEach(() => {
  vi.useFakeTimers();
  lines.length = 0;
});
afterEach(() => vi.useRealTimers());

test('runs again after a failure, never twice at once, and not after it was closed', async () => {
  const ends: (() => void)[] = [];
  let passes = 0;
  const run = async (): Promise<void> => {
    passes += 1;
    if (passes === 1) throw new Error('busy');
    await new Promise<void>(resolve => ends.push(resolve));
  };
  const step = new RepeatedStep({ what: 'sweeping', run, everyMs: 1000, log });
  await vi.advanceTimersByTimeAsync(1000);
  expect(lines).toEqual(['Failed sweeping']);
  await vi.advanceTimersByTimeAsync(3000);
  expect(passes).toBe(2);
  let closed = false;
  const closing = step.close().then(() => (closed = true));
  await vi.advanceTimersByTimeAsync(3000);
  expect([passes, closed]).toEqual([2, false]);
  ends.forEach(end => end());
  await closing;
  expect(passes).toBe(2);
});
