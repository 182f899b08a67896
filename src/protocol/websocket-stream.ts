import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** The connection under a websocket, which its package keeps to itself, for who frames large data without it. */
export interface UnderlyingStream {
  readonly stream: Duplex;
  /** true for the side that dialled: it has to mask what it sends */
  readonly masks: boolean;
  /** gives bytes to the websocket as if it had read them */
  readonly handBack: (bytes: Buffer) => void;
}

/** Takes over what comes in; the websocket only sees what it is handed back. */
export function takeStream(socket: WebSocket): UnderlyingStream {
  const { _socket: stream, _isServer: isServer } = socket as unknown as Readonly<Record<string, unknown>>;
  if (!(stream instanceof Duplex) || typeof isServer !== 'boolean')
    throw new Error('This is no websocket that is open');
  const listeners = stream.listeners('data') as ((bytes: Buffer) => void)[];
  stream.removeAllListeners('data');
  return {
    stream,
    masks: !isServer,
    handBack: bytes => {
      for (const listener of listeners) listener.call(stream, bytes);
    },
  };
}
