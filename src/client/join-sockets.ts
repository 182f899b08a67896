import type { RawData, WebSocket } from 'ws';

/** Bytes that may wait for the slower side before the other is paused. */
const highWater = 4 * 2 ** 20;

/** Hands on what either side sends to the other until one of them is closed; returns how to cut them both. */
export function joinSockets(one: WebSocket, other: WebSocket): () => void {
  handOn(one, other);
  handOn(other, one);
  return () => {
    one.close();
    other.close();
  };
}

function handOn(from: WebSocket, to: WebSocket): void {
  from.on('message', (data: RawData, isBinary: boolean) => {
    if (to.readyState !== to.OPEN) return;
    to.send(data, { binary: isBinary }, () => {
      if (from.isPaused && to.bufferedAmount < highWater / 2) from.resume();
    });
    if (to.bufferedAmount > highWater) from.pause();
  });
  from.on('close', () => to.close());
  from.on('error', () => to.terminate());
  from.resume();
}
