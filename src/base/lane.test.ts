import { expect, test } from 'vitest';
import { Lane } from './lane.ts';

test('a lane of width two never runs three at once, in order, whatever fails', async () => {
  const lane = new Lane(2);
  let running = 0;
  let most = 0;
  const started: number[] = [];
  const results = await Promise.allSettled(
    [1, 2, 3, 4, 5].map(number =>
      lane.run(async () => {
        started.push(number);
        most = Math.max(most, (running += 1));
        await new Promise(resolve => setTimeout(resolve, 1));
        running -= 1;
        if (number === 2) throw new Error('two');
      }),
    ),
  );
  expect({ most, started, failed: results.filter(result => result.status === 'rejected').length }).toEqual({
    most: 2,
    started: [1, 2, 3, 4, 5],
    failed: 1,
  });
});
