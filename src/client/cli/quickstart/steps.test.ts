import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Steps } from './steps.ts';

function shown(): { out: PassThrough; text: () => string } {
  const out = new PassThrough();
  return { out, text: () => (out.read() as Buffer | null)?.toString().replace(/\d+\.\d s/g, 'N s') ?? '' };
}

test('each step is one line with its result and its seconds', async () => {
  const { out, text } = shown();
  const steps = new Steps(out);
  await steps.run('Making a pool', async progress => {
    progress('half way'); // not shown: this is no terminal
    return 'btrfs, 20 GiB';
  });
  await steps.run('Making a network', async () => undefined);
  expect(text()).toBe('  ok  Making a pool: btrfs, 20 GiB (N s)\n  ok  Making a network (N s)\n');
});

test('a step that fails is marked, and the failure goes on', async () => {
  const { out, text } = shown();
  await expect(new Steps(out).run('Making a pool', () => Promise.reject(new Error('no disk')))).rejects.toThrow(
    'no disk',
  );
  expect(text()).toBe('  !!  Making a pool\n');
});
