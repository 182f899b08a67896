import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { WebSocket } from 'ws';
import { ApiError } from '#api/error.ts';

/** Named websockets of an operation; each is opened once by a client that knows its secret. */
export class WebsocketChannels {
  readonly #secrets = new Map<string, string>();
  readonly #open = new Map<string, WebSocket>();
  readonly #waiting = new Map<string, (socket: WebSocket) => void>();

  constructor(names: readonly string[]) {
    for (const name of names) this.#secrets.set(name, randomBytes(32).toString('hex'));
  }

  /** name → secret, for the operation's metadata */
  get secrets(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#secrets);
  }

  /** Takes a socket; false when the secret is wrong or its channel is open already. */
  connect(secret: string, socket: WebSocket): boolean {
    for (const [name, expected] of this.#secrets) {
      if (!sameSecret(expected, secret)) continue;
      if (this.#open.has(name)) return false;
      this.#open.set(name, socket);
      this.#waiting.get(name)?.(socket);
      return true;
    }
    return false;
  }

  find(name: string): WebSocket | undefined {
    return this.#open.get(name);
  }

  /** Waits until a channel is open; "unavailable" when nobody came within `timeoutMs`. */
  async opened(name: string, timeoutMs: number, signal?: AbortSignal): Promise<WebSocket> {
    const socket = this.#open.get(name);
    if (socket) return socket;
    return await new Promise<WebSocket>((resolve, reject) => {
      const fail = (error: unknown): void => settle(() => reject(error));
      const timer = setTimeout(
        () => fail(new ApiError('unavailable', `Timed out waiting for websocket "${name}" to connect`)),
        timeoutMs,
      );
      const abort = (): void => fail(signal?.reason);
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.#waiting.delete(name);
        finish();
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.set(name, opened => settle(() => resolve(opened)));
    });
  }

  /** Closes every open channel. */
  close(): void {
    for (const socket of this.#open.values()) socket.close();
  }
}

function sameSecret(expected: string, given: string): boolean {
  const one = Buffer.from(expected);
  const other = Buffer.from(given);
  return one.length === other.length && timingSafeEqual(one, other);
}
