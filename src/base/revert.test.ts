import { expect, test } from 'vitest';
import { createLog, silentLog } from './log.ts';
import { Revert } from './revert.ts';

test('undo steps run newest first when the change does not commit', async () => {
  const undone: string[] = [];
  {
    await using revert = new Revert(silentLog);
    revert.add('first', () => void undone.push('first'));
    revert.add('second', () => void undone.push('second'));
  }
  expect(undone).toEqual(['second', 'first']);
});

test('a committed change undoes nothing', async () => {
  const undone: string[] = [];
  {
    await using revert = new Revert(silentLog);
    revert.add('first', () => void undone.push('first'));
    revert.commit();
  }
  expect(undone).toEqual([]);
});

test('a failing undo step is logged by name and the others still run', async () => {
  const undone: string[] = [];
  const logged: string[] = [];
  const log = createLog((_level, message) => void logged.push(message));
  {
    await using revert = new Revert(log);
    revert.add('making the folder', () => void undone.push('folder'));
    revert.add('mounting', () => Promise.reject(new Error('busy')));
  }
  expect({ undone, logged }).toEqual({ undone: ['folder'], logged: ['Failed undoing mounting'] });
});

test('transferred steps belong to the receiver', async () => {
  const undone: string[] = [];
  let kept: Revert | undefined;
  {
    await using revert = new Revert(silentLog);
    revert.add('first', () => void undone.push('first'));
    kept = revert.transfer();
  }
  expect(undone).toEqual([]);
  await kept[Symbol.asyncDispose]();
  expect(undone).toEqual(['first']);
});
