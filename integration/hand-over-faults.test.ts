import { describe, expect, test } from 'vitest';
import type { TestDaemon } from './harness/daemon.ts';
import { move, useMovingPet } from './harness/moving-pet.ts';

const { here, there, expectAt } = useMovingPet();

/** Ends a daemon in the middle of a move, and starts it again while the client looks what became of it. */
async function moveAndKill(daemon: TestDaemon, point: string): Promise<number | null> {
  await daemon.terminate();
  await daemon.start({ LXD_LIKE_FAULT: `${point}:kill` });
  const moving = here.cli(move);
  await daemon.ended();
  await daemon.start();
  return (await moving).status;
}

describe('the source is killed', () => {
  test.each([
    ['hand-over.after-stop', 'here'],
    ['hand-over.after-release', 'here'],
    ['hand-over.after-arrival', 'there'],
  ] as const)('at %s, and it runs %s', async (point, place) => {
    expect(await moveAndKill(here, point)).toBe(place === 'there' ? 0 : 1);
    await expectAt(place);
  });
});

describe('the target is killed', () => {
  test.each([
    ['take-over.after-files', 'here'],
    ['take-over.after-mark', 'there'],
    ['take-over.after-start', 'there'],
  ] as const)('at %s, and it runs %s', async (point, place) => {
    expect(await moveAndKill(there, point)).toBe(place === 'there' ? 0 : 1);
    await expectAt(place);
  });
});
