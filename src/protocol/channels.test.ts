import { describe, expect, test } from 'vitest';
import { websocketPair } from '#server/instances/testing/websocket-pair.ts';
import { ControlChannel } from './control-channel.ts';
import { FrameChannel } from './frame-channel.ts';

async function collect(source: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of source) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString();
}

describe('the channel of files', () => {
  test('carries streams one after the other, each with its end', async () => {
    const { server, client } = await websocketPair();
    const [one, other] = [new FrameChannel(server), new FrameChannel(client)];
    await one.sendJson({ a: 1 });
    const large = Buffer.alloc(8 * 2 ** 20, 'x');
    const sending = one.send([large, Buffer.from('end')] as unknown as AsyncIterable<Buffer>);
    expect(await other.json()).toEqual({ a: 1 });
    expect((await collect(other.chunks())).length).toBe(large.length + 3);
    await sending;
    await one.end();
    expect(await collect(other.chunks())).toBe('');
    client.close();
  });

  test('that is cut off is no end of a stream', async () => {
    const { server, client } = await websocketPair();
    const channel = new FrameChannel(client);
    server.send(Buffer.from('half'));
    setTimeout(() => server.terminate(), 20);
    await expect(collect(channel.chunks())).rejects.toMatchObject({ code: 'unavailable' });
    await expect(channel.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('refuses a description that is too long or no JSON', async () => {
    const { server, client } = await websocketPair();
    const [one, other] = [new FrameChannel(server), new FrameChannel(client)];
    await one.send([Buffer.from('{"a":')] as unknown as AsyncIterable<Buffer>);
    await expect(other.json()).rejects.toThrow('no JSON');
    await one.sendJson('x'.repeat(1000));
    await expect(other.json(100)).rejects.toThrow('too long');
    client.close();
  });
});

describe('the channel of verdicts', () => {
  test('tells success, and failures with their reason, also in the place of a header', async () => {
    const { server, client } = await websocketPair();
    const [one, other] = [new ControlChannel(server), new ControlChannel(client)];
    await one.tell(undefined);
    await other.verdict();
    await one.tell('no space\nleft');
    await expect(other.verdict()).rejects.toThrow('The other server failed: no space left');
    await one.tell('not today');
    await expect(other.header()).rejects.toThrow('not today');
    server.terminate();
    await expect(other.verdict()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
