import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BlockQueue } from './block-queue.ts';

function queueWithFlow(): { readonly queue: BlockQueue; readonly told: string[] } {
  const told: string[] = [];
  return { queue: new BlockQueue({ full: () => told.push('full'), wanting: () => told.push('wanting') }), told };
}

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk.toString();
  return text;
}

test('streams end where they were ended, and crumbs that come together are read together', async () => {
  const { queue } = queueWithFlow();
  const sizes: number[] = [];
  const reading = textOf(queue.chunks(bytes => sizes.push(bytes)));
  await sleep(1);
  for (const crumb of ['a', 'b', 'c']) queue.push(Buffer.from(crumb));
  queue.end();
  queue.push(Buffer.from('next'));
  queue.end();
  expect(await reading).toBe('abc');
  expect(sizes).toEqual([3]);
  expect(await textOf(queue.chunks())).toBe('next');
});

test('bytes that are pushed may change afterwards', async () => {
  const { queue } = queueWithFlow();
  const bytes = Buffer.from('kept');
  queue.push(bytes);
  bytes.fill('x');
  queue.end();
  expect(await textOf(queue.chunks())).toBe('kept');
});

test('a peer has to wait while nobody reads', async () => {
  const { queue, told } = queueWithFlow();
  for (let block = 0; block < 4; block += 1) queue.push(Buffer.alloc(256 * 1024));
  expect(told).toEqual(['full']);
  queue.end();
  expect((await textOf(queue.chunks())).length).toBe(2 ** 20);
  expect(told).toEqual(['full', 'wanting']);
});

test('what came before a failure is read before it', async () => {
  const { queue } = queueWithFlow();
  queue.push(Buffer.from('half'));
  queue.fail(new Error('cut off'));
  const chunks = queue.chunks();
  expect(String((await chunks.next()).value)).toBe('half');
  await expect(chunks.next()).rejects.toThrow('cut off');
});
