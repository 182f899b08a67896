import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { ApiError } from '#api/error.ts';
import type { Operation } from '#api/operation.ts';
import { silentLog } from '#base/log.ts';
import { LocalEventBus } from '../events/bus.ts';
import { LocalOperations } from './local-operations.ts';
import { WebsocketChannels } from './websocket-channels.ts';

const request = { description: 'Testing', project: 'default' };

function setup(): { operations: LocalOperations; seen: Operation[] } {
  const events = new LocalEventBus();
  const seen: Operation[] = [];
  events.subscribe({ types: ['operation'] }, event => void seen.push(event.metadata as Operation));
  return { operations: new LocalOperations({ events, log: silentLog }), seen };
}

describe('operations', () => {
  test('tell every change and end with the task', async () => {
    const { operations, seen } = setup();
    const { id } = operations.run({ ...request, metadata: { a: 1 } }, async () => ({ b: 2 }));
    const ended = await operations.wait(id, undefined);
    expect(ended).toMatchObject({ status: 'Success', status_code: 200, err: '', metadata: { a: 1, b: 2 } });
    expect(seen.map(operation => operation.status)).toEqual(['Pending', 'Running', 'Success']);
    expect(ended.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  });

  test('that fail say why', async () => {
    const { operations } = setup();
    const { id } = operations.run(request, async () => {
      throw new ApiError('busy', 'Somebody else is at it');
    });
    expect(await operations.wait(id, undefined)).toMatchObject({ status_code: 400, err: 'Somebody else is at it' });
  });

  test('are cancelled through the signal of their task, if they may be', async () => {
    const { operations } = setup();
    const endless = async ({ signal }: { signal: AbortSignal }): Promise<void> => {
      await sleep(60_000, undefined, { signal });
    };
    const { id } = operations.run({ ...request, mayCancel: true }, endless);
    operations.cancel(id);
    expect(await operations.wait(id, undefined)).toMatchObject({ status: 'Cancelled', status_code: 401 });
    const other = operations.run(request, () => sleep(5));
    expect(() => operations.cancel(other.id)).toThrow('cannot be cancelled');
    await operations.close();
  });

  test('wait() gives the running operation after its timeout', async () => {
    const { operations } = setup();
    const { id } = operations.run(request, () => sleep(50));
    expect(await operations.wait(id, 5)).toMatchObject({ status: 'Running' });
    expect(await operations.wait(id, undefined)).toMatchObject({ status: 'Success' });
  });

  test('are forgotten 5 s after their end', async () => {
    vi.useFakeTimers();
    const { operations } = setup();
    const { id } = operations.run(request, async () => undefined);
    await operations.wait(id, undefined);
    vi.advanceTimersByTime(4900);
    expect(operations.get(id).id).toBe(id);
    vi.advanceTimersByTime(200);
    expect(() => operations.get(id)).toThrow('not found');
    vi.useRealTimers();
  });

  test('do not tell each of many progress texts, but the last one', async () => {
    const { operations, seen } = setup();
    const { id } = operations.run(request, async context => {
      for (let percent = 0; percent <= 1000; percent += 1) context.update({ progress: String(percent) });
      await sleep(150);
    });
    await operations.wait(id, undefined);
    expect(seen.length).toBeLessThan(8);
    expect(seen.at(-2)?.metadata).toEqual({ progress: '1000' });
  });

  test('of class token are taken by one only', () => {
    const { operations } = setup();
    operations.run({ ...request, class: 'token', metadata: { secret: 'x' } });
    const matches = (metadata: Readonly<Record<string, unknown>>): boolean => metadata['secret'] === 'x';
    expect([operations.takeToken(matches)?.class, operations.takeToken(matches)]).toEqual(['token', undefined]);
  });

  test('take a websocket once, by its secret', async () => {
    const { operations } = setup();
    const channels = new WebsocketChannels(['0']);
    const { id } = operations.run(
      {
        ...request,
        class: 'websocket',
        metadata: { fds: channels.secrets },
        connect: (secret, socket) => channels.connect(secret, socket),
      },
      async () => {
        await channels.opened('0', 1000);
      },
    );
    const secret = channels.secrets['0'] ?? '';
    const socket = {} as WebSocket;
    for (const wrong of ['', 'x', secret.slice(1), '__proto__'])
      expect(() => operations.checkSecret(id, wrong)).toThrow('secret does not fit');
    operations.checkSecret(id, secret);
    operations.connect(id, secret, socket);
    expect(() => operations.connect(id, secret, socket)).toThrow('secret does not fit');
    await operations.close();
  });

  test('are aborted and waited for when the daemon ends', async () => {
    const { operations } = setup();
    const { id } = operations.run(request, ({ signal }) => sleep(60_000, undefined, { signal }));
    await operations.close();
    expect(operations.get(id)).toMatchObject({ status: 'Failure', err: expect.stringMatching(/abort/i) as string });
  });
});
