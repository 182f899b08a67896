import type { RawData, WebSocket } from 'ws';
import { ApiError } from '#api/error.ts';
import { bytesOf } from './frame-channel.ts';
import { decodeControl, decodeHeader, encodeControl, encodeHeader, type MigrationHeader } from './messages.ts';

/** A peer that fails closes its channels and says why in no certain order. */
export const explanationMs = 1000;

const maxWaiting = 16;

/** The channel of headers and verdicts: one binary message each. */
export class ControlChannel {
  readonly #socket: WebSocket;
  readonly #waiting: Buffer[] = [];
  #wake: () => void = () => undefined;
  #lost = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (!isBinary || this.#waiting.length >= maxWaiting) socket.close();
      else this.#waiting.push(bytesOf(data));
      this.#wake();
    });
    const lost = (): void => {
      this.#lost = true;
      this.#wake();
    };
    socket.on('close', lost).on('error', lost);
    if (socket.readyState > socket.OPEN) lost();
    socket.resume();
  }

  sendHeader(header: MigrationHeader): void {
    this.#socket.send(encodeHeader(header));
  }

  async header(): Promise<MigrationHeader> {
    const message = await this.#next();
    // A peer that fails early answers with its verdict, whose first field looks like the type of a header.
    const verdict = earlyFailure(message);
    if (verdict !== undefined) throw refused(verdict);
    return decodeHeader(message);
  }

  /** Tells the peer how it ended; it may be gone already. */
  async tell(failure: string | undefined): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const message = encodeControl({ success: failure === undefined, message: failure ?? '' });
    await new Promise<void>(resolve => this.#socket.send(message, () => resolve()));
  }

  /** Waits for the peer's verdict; throws what it failed with. */
  async verdict(): Promise<void> {
    const { success, message } = decodeControl(await this.#next());
    if (!success) throw refused(message);
  }

  /** What the peer says of a failure that was noticed here first; undefined when it says nothing soon. */
  async explanation(): Promise<Error | undefined> {
    const silence = new Promise<undefined>(resolve => setTimeout(() => resolve(undefined), explanationMs).unref());
    const told = this.verdict().then(
      () => undefined,
      (error: unknown) => (ApiError.is(error, 'failed-precondition') ? error : undefined),
    );
    return await Promise.race([told, silence]);
  }

  async #next(): Promise<Buffer> {
    for (;;) {
      const message = this.#waiting.shift();
      if (message) return message;
      if (this.#lost) throw new ApiError('unavailable', 'The connection to the other server was lost');
      await new Promise<void>(resolve => (this.#wake = resolve));
    }
  }
}

function earlyFailure(message: Buffer): string | undefined {
  // {success: false, message: …}: field 1 = 0, then field 2 as text, which in a header is a number
  if (message[0] !== 0x08 || message[1] !== 0x00 || message[2] !== 0x12) return undefined;
  return decodeControl(message).message;
}

function refused(message: string): ApiError {
  const text = message.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 2000);
  return new ApiError('failed-precondition', `The other server failed: ${text || 'it gave no reason'}`);
}
