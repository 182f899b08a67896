import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { WebsocketChannels } from './websocket-channels.ts';

function socket(): WebSocket & { closed: boolean } {
  const fake = { closed: false, close: () => void (fake.closed = true) };
  return fake as unknown as WebSocket & { closed: boolean };
}

test('every channel has a secret of its own, 64 hexadecimal digits long', () => {
  const { secrets } = new WebsocketChannels(['0', 'control']);
  expect(Object.keys(secrets)).toEqual(['0', 'control']);
  expect(new Set(Object.values(secrets)).size).toBe(2);
  for (const secret of Object.values(secrets)) expect(secret).toMatch(/^[0-9a-f]{64}$/);
});

test('a channel opens once, for who knows its secret', async () => {
  const channels = new WebsocketChannels(['0']);
  const secret = channels.secrets['0'] ?? '';
  expect(['', 'x', secret.slice(1), `${secret}0`].map(wrong => channels.connect(wrong, socket()))).toEqual([
    false,
    false,
    false,
    false,
  ]);
  const first = socket();
  const waiting = channels.opened('0', 1000);
  expect(channels.connect(secret, first)).toBe(true);
  expect(await waiting).toBe(first);
  expect(channels.connect(secret, socket())).toBe(false);
  expect(channels.find('0')).toBe(first);
});

test('waiting for a channel that nobody opens ends', async () => {
  await expect(new WebsocketChannels(['0']).opened('0', 5)).rejects.toMatchObject({ code: 'unavailable' });
});

test('waiting ends when the operation is cancelled', async () => {
  const abort = new AbortController();
  const waiting = new WebsocketChannels(['0']).opened('0', 10_000, abort.signal);
  abort.abort(new Error('cancelled'));
  await expect(waiting).rejects.toThrow('cancelled');
});

test('close() closes what is open', () => {
  const channels = new WebsocketChannels(['0']);
  const open = socket();
  channels.connect(channels.secrets['0'] ?? '', open);
  channels.close();
  expect(open.closed).toBe(true);
});
