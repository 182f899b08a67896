import { expect, test } from 'vitest';
import { Pace } from './pace.ts';

const noSignal = new AbortController().signal;

async function secondsFor(bytes: number, chunk: number, pace: Pace): Promise<number> {
  const started = performance.now();
  for (let passed = 0; passed < bytes; passed += chunk) await pace.pass(chunk);
  return (performance.now() - started) / 1000;
}

test('bytes pass at the speed that was set, in small chunks and in large ones', async () => {
  for (const chunk of [1000, 100_000]) {
    const seconds = await secondsFor(400_000, chunk, new Pace(1_000_000, noSignal));
    expect(seconds).toBeGreaterThan(0.3);
  }
});

test('nobody is held back where no speed was set', async () => {
  expect(await secondsFor(2 ** 30, 2 ** 20, new Pace(undefined, noSignal))).toBeLessThan(0.3);
});

test('who waits goes when the transfer is cancelled', async () => {
  const stop = new AbortController();
  const waiting = new Pace(1, stop.signal).pass(1_000_000);
  stop.abort(new Error('cancelled'));
  await expect(waiting).rejects.toThrow();
});
